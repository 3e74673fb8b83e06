// The face model from /api/model: mean, bases, triangles. Meters, in model axes (x to the subject's left, y up, z out of
// the face, origin at the sellion), which are three.js axes for a face that looks at the viewer.

/** `count` displacement fields of the vertices: value = values * scale[k] meters. */
export interface Basis {
  count: number;
  values: Int16Array;
  scale: Float32Array;
}

export interface FaceModel {
  name: string;
  sha256: string;
  vertexCount: number;
  blendshapeNames: string[];
  /** The expression basis is the blendshapes; otherwise the stream has separate coefficients. */
  blendshapesAreExpression: boolean;
  mean: Float32Array;
  /** Empty in a sparse model: its vertices are the 68 iBUG points, and there is no surface. */
  triangles: Uint32Array;
  identity: Basis;
  expression: Basis;
  /** FaceMesh's 478 points on the mesh; null if the model does not define them. */
  landmarks: { triangle: Uint32Array; barycentric: Float32Array } | null;
  partNames: string[];
  /** Index into partNames per vertex; null if the model has no parts. */
  parts: Uint8Array | null;
  /** Red, green, blue per vertex, sRGB. */
  colors: Uint8Array | null;
}

interface Section {
  name: string;
  dtype: "float32" | "uint32" | "int16" | "uint8";
  shape: number[];
  offset: number;
  scale: string | null;
}

const MAGIC = "FACEMDL1";
const KINDS = { float32: Float32Array, uint32: Uint32Array, int16: Int16Array, uint8: Uint8Array };

/** The server requires a token. */
export class Unauthorized extends Error {}

/** The model cannot be loaded. */
export class ModelError extends Error {}

/** Throws Unauthorized, ModelError, or TypeError if the server cannot be reached. */
export async function fetchModel(token: string): Promise<FaceModel> {
  const headers: HeadersInit = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch("api/model", { headers });
  if (answer.status === 401) throw new Unauthorized("the server requires a token");
  if (!answer.ok) throw new ModelError(`The face model cannot be loaded: ${answer.status} ${answer.statusText}`);
  return parseModel(await answer.arrayBuffer());
}

/** Throws ModelError if the data is not a model file, RangeError if it is incomplete. */
export function parseModel(data: ArrayBuffer): FaceModel {
  const bytes = new Uint8Array(data);
  if (new TextDecoder().decode(bytes.subarray(0, 8)) !== MAGIC) throw new ModelError("The server sent an invalid face model");
  const length = new DataView(data).getUint32(8, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(12, 12 + length)));
  const sections = new Map<string, Section>(header.sections.map((section: Section) => [section.name, section]));

  function read<T>(name: string): T | null {
    const section = sections.get(name);
    if (!section) return null;
    const count = section.shape.reduce((product, size) => product * size, 1);
    return new KINDS[section.dtype](data, 12 + length + section.offset, count) as T;
  }
  function basis(name: string): Basis {
    const values = read<Int16Array>(name) ?? new Int16Array(0);
    const scale = read<Float32Array>(sections.get(name)?.scale ?? `${name}_scale`) ?? new Float32Array(0);
    return { count: scale.length, values, scale };
  }

  const mean = read<Float32Array>("mean");
  const triangles = read<Uint32Array>("triangles");
  if (!mean || !triangles) throw new ModelError(`The face model ${header.model} has no vertices or triangles`);
  const triangle = read<Uint32Array>("landmark_triangles");
  const barycentric = read<Float32Array>("landmark_barycentric");
  return {
    name: header.model,
    sha256: header.sha256,
    vertexCount: header.vertex_count,
    blendshapeNames: header.blendshape_names,
    blendshapesAreExpression: header.blendshapes_are_expression,
    mean,
    triangles,
    identity: basis("identity"),
    expression: basis("expression"),
    landmarks: triangle && barycentric ? { triangle, barycentric } : null,
    partNames: header.part_names ?? [],
    parts: read<Uint8Array>("vertex_part"),
    colors: read<Uint8Array>("vertex_colors"),
  };
}

/** Vertices of an identity, (V * 3) meters. Extra coefficients are ignored, missing ones are zero. */
export function identityVertices(model: FaceModel, shape: Float32Array | null): Float32Array {
  const vertices = model.mean.slice();
  const { count, values, scale } = model.identity;
  for (let k = 0; shape && k < Math.min(count, shape.length); k++) {
    const weight = shape[k] * scale[k];
    if (weight === 0) continue;
    const start = k * vertices.length;
    for (let i = 0; i < vertices.length; i++) vertices[i] += weight * values[start + i];
  }
  return vertices;
}
