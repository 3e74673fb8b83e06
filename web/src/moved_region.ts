// Finds the face of an avatar: the region that its blendshapes move.

import { Box3, Vector3, type Mesh } from "three";

const MIN_RATIO = 0.1; // of the largest displacement of a morph target; smaller ones are ignored

/** A morph target of a mesh. */
export interface Morph {
  mesh: Mesh;
  morph: number;
}

/** Bounding box of the vertices that the morph targets move, in scene axes; may be empty. */
export function movedRegion(morphs: Morph[]): Box3 {
  const box = new Box3();
  const place = new Vector3();
  const vertices = new Map<Mesh, Set<number>>();
  for (const { mesh, morph } of morphs) {
    if (!vertices.has(mesh)) vertices.set(mesh, new Set());
    for (const vertex of movedVertices(mesh, morph)) vertices.get(mesh)!.add(vertex);
  }
  for (const [mesh, moved] of vertices) {
    for (const vertex of moved) box.expandByPoint(mesh.getVertexPosition(vertex, place).applyMatrix4(mesh.matrixWorld));
  }
  return box;
}

function movedVertices(mesh: Mesh, morph: number): number[] {
  const moves = mesh.geometry.morphAttributes.position?.[morph];
  if (!moves) return [];
  const move = new Vector3();
  const lengths = Array.from({ length: moves.count }, (_, vertex) => move.fromBufferAttribute(moves, vertex).length());
  const minimum = MIN_RATIO * lengths.reduce((a, b) => Math.max(a, b), 0);
  return [...lengths.keys()].filter((vertex) => lengths[vertex] > minimum);
}
