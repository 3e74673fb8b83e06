// Geometry of a face: the person's neutral face, and one morph target per expression for the GPU.

import { BufferAttribute, BufferGeometry, Float32BufferAttribute } from "three";
import { LINES, LINES_68 } from "./contours";
import { identityVertices, type Basis, type FaceModel } from "./model";

/** Shared by all faces of a model: displacements of vertices, normals and landmarks for each expression. */
export interface Morphs {
  position: BufferAttribute[];
  normal: BufferAttribute[];
  landmarks: BufferAttribute[];
}

/** Unit vertex normals (V * 3), weighted by triangle area. */
export function vertexNormals(vertices: Float32Array, triangles: Uint32Array): Float32Array {
  const normals = new Float32Array(vertices.length);
  for (let t = 0; t < triangles.length; t += 3) {
    const a = triangles[t] * 3, b = triangles[t + 1] * 3, c = triangles[t + 2] * 3;
    const ux = vertices[b] - vertices[a], uy = vertices[b + 1] - vertices[a + 1], uz = vertices[b + 2] - vertices[a + 2];
    const vx = vertices[c] - vertices[a], vy = vertices[c + 1] - vertices[a + 1], vz = vertices[c + 2] - vertices[a + 2];
    const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
    for (const corner of [a, b, c]) {
      normals[corner] += x;
      normals[corner + 1] += y;
      normals[corner + 2] += z;
    }
  }
  for (let i = 0; i < normals.length; i += 3) {
    const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]) || 1;
    normals[i] /= length;
    normals[i + 1] /= length;
    normals[i + 2] /= length;
  }
  return normals;
}

/** Displacement k of a basis, (V * 3) meters. */
export function displacement(basis: Basis, k: number, size: number): Float32Array {
  const result = new Float32Array(size);
  for (let i = 0; i < size; i++) result[i] = basis.values[k * size + i] * basis.scale[k];
  return result;
}

/** Landmarks (478 * 3) of vertices or of their displacement; the 68 points of a sparse model; or empty. */
export function landmarkPoints(model: FaceModel, vertices: Float32Array): Float32Array {
  if (!model.triangles.length) return vertices.slice();
  if (!model.landmarks) return new Float32Array(0);
  const { triangle, barycentric } = model.landmarks;
  const points = new Float32Array(triangle.length * 3);
  for (let p = 0; p < triangle.length; p++) {
    for (let corner = 0; corner < 3; corner++) {
      const vertex = model.triangles[triangle[p] * 3 + corner] * 3;
      const weight = barycentric[p * 3 + corner];
      for (let axis = 0; axis < 3; axis++) points[p * 3 + axis] += weight * vertices[vertex + axis];
    }
  }
  return points;
}

/** The normal displacements are those of the mean face; recomputing them per person would have little effect. */
export function makeMorphs(model: FaceModel): Morphs {
  const { mean, triangles, expression } = model;
  const neutral = vertexNormals(mean, triangles);
  const morphs: Morphs = { position: [], normal: [], landmarks: [] };
  for (let k = 0; k < expression.count; k++) {
    const moved = displacement(expression, k, mean.length);
    const normal = vertexNormals(mean.map((value, i) => value + moved[i]), triangles);
    morphs.position.push(new BufferAttribute(moved, 3));
    morphs.normal.push(new BufferAttribute(normal.map((value, i) => value - neutral[i]), 3));
    morphs.landmarks.push(new BufferAttribute(landmarkPoints(model, moved), 3));
  }
  return morphs;
}

/** The mesh of one person. */
export function faceGeometry(model: FaceModel, morphs: Morphs): BufferGeometry {
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(model.mean.slice(), 3));
  geometry.setAttribute("normal", new BufferAttribute(vertexNormals(model.mean, model.triangles), 3));
  geometry.setIndex(new BufferAttribute(model.triangles, 1));
  geometry.morphAttributes.position = morphs.position;
  geometry.morphAttributes.normal = morphs.normal;
  geometry.morphTargetsRelative = true;
  return geometry;
}

/** The landmarks as points, and as contours of lips, eyelids, brows, nose and face oval. */
export function landmarkGeometries(model: FaceModel, morphs: Morphs): { points: BufferGeometry; lines: BufferGeometry } {
  const points = new BufferGeometry();
  points.setAttribute("position", new Float32BufferAttribute(landmarkPoints(model, model.mean), 3));
  points.morphAttributes.position = morphs.landmarks;
  points.morphTargetsRelative = true;
  const lines = points.clone();
  const known = model.landmarks ? LINES : model.triangles.length ? [] : LINES_68;
  lines.setIndex(known.flatMap((line) => line.slice(1).flatMap((end, k) => [line[k], end])));
  return { points, lines };
}

/** Sets the neutral face of a person in the geometries; returns its vertices. */
export function applyIdentity(
  model: FaceModel, shape: Float32Array | null, mesh: BufferGeometry, landmarks: BufferGeometry[],
): Float32Array {
  const vertices = identityVertices(model, shape);
  replace(mesh, "position", vertices);
  replace(mesh, "normal", vertexNormals(vertices, model.triangles));
  const points = landmarkPoints(model, vertices);
  for (const geometry of landmarks) replace(geometry, "position", points);
  return vertices;
}

function replace(geometry: BufferGeometry, name: string, values: Float32Array): void {
  const attribute = geometry.getAttribute(name) as BufferAttribute;
  (attribute.array as Float32Array).set(values);
  attribute.needsUpdate = true;
}

/** Distance in meters between two landmarks of the deformed face; NaN for a model without landmarks. */
export function lipDistance(model: FaceModel, morphs: Morphs, vertices: Float32Array, weights: ArrayLike<number>,
  upper: number, lower: number): number {
  if (!model.landmarks) return NaN;
  const corners = (p: number): number[] => [0, 1, 2].map((corner) => model.triangles[model.landmarks!.triangle[p] * 3 + corner]);
  const place = (p: number): number[] => [0, 1, 2].map((axis) => corners(p).reduce((sum, vertex, corner) => {
    let value = vertices[vertex * 3 + axis];
    for (let k = 0; k < morphs.position.length; k++) value += weights[k] * morphs.position[k].array[vertex * 3 + axis];
    return sum + value * model.landmarks!.barycentric[p * 3 + corner];
  }, 0));
  const a = place(upper), b = place(lower);
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
