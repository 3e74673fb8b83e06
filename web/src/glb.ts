// A take as binary glTF 2.0: the person's mesh, a morph target per expression, animated weights and head pose.

import { Quaternion, Vector3 } from "three";
import type { TakeStep } from "./take_motion";
import type { FaceModel } from "./model";
import { headPosition, headRotation } from "./pose";
import { encoded, eyeCanvas, surfaceColors, surfaceParts, surfaceUv, type SurfacePart } from "./glb_surface";
import { displacement, vertexNormals } from "./shape";

const FLOAT = 5126, UNSIGNED_INT = 5125;
const VERTICES = 34962, INDICES = 34963; // targets of buffer views
const LINEAR = 9729, LINEAR_MIPMAP_LINEAR = 9987, CLAMP = 33071; // texture sampling
const GLB_MAGIC = 0x46546c67, JSON_CHUNK = 0x4e4f534a, BINARY_CHUNK = 0x004e4942;
const MIN_DISPLACEMENT = 1e-7; // meters; smaller ones are omitted from a morph target

type Numbers = Float32Array | Uint32Array | Uint8Array;

/** Builds the binary buffer and its accessors. */
class Buffers {
  readonly views: object[] = [];
  readonly accessors: object[] = [];
  readonly chunks: Numbers[] = [];
  length = 0;

  view(values: Numbers, target?: number): number {
    this.views.push({ buffer: 0, byteOffset: this.length, byteLength: values.byteLength, ...(target ? { target } : {}) });
    const padding = (4 - (values.byteLength % 4)) % 4;
    this.chunks.push(values, new Uint8Array(padding));
    this.length += values.byteLength + padding;
    return this.views.length - 1;
  }

  accessor(values: Numbers, type: "SCALAR" | "VEC2" | "VEC3" | "VEC4", extra: object = {}, target?: number): number {
    const width = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4 }[type];
    const componentType = values instanceof Uint32Array ? UNSIGNED_INT : FLOAT;
    const bufferView = this.view(values, target);
    this.accessors.push({ bufferView, componentType, count: values.length / width, type, ...extra });
    return this.accessors.length - 1;
  }

  /** A sparse accessor: indices and values of the non-zero displacements. */
  sparse(values: Float32Array): number {
    const count = values.length / 3;
    const moved = [...Array(count).keys()].filter((v) => [0, 1, 2].some((axis) => Math.abs(values[3 * v + axis]) > MIN_DISPLACEMENT));
    const accessor = { componentType: FLOAT, count, type: "VEC3", ...bounds(values) };
    if (moved.length) {
      const kept = Float32Array.from(moved.flatMap((v) => [values[3 * v], values[3 * v + 1], values[3 * v + 2]]));
      Object.assign(accessor, { sparse: {
        count: moved.length,
        indices: { bufferView: this.view(Uint32Array.from(moved)), componentType: UNSIGNED_INT },
        values: { bufferView: this.view(kept) },
      } });
    }
    this.accessors.push(accessor);
    return this.accessors.length - 1;
  }
}

function bounds(values: Float32Array): { min: number[]; max: number[] } {
  const min = [Infinity, Infinity, Infinity], max = [-Infinity, -Infinity, -Infinity];
  values.forEach((value, i) => {
    min[i % 3] = Math.min(min[i % 3], value);
    max[i % 3] = Math.max(max[i % 3], value);
  });
  return { min, max };
}

/**
 * Exports one face of a take: the person's mesh with its skin, eyes, brows and hair, and its motion.
 *
 * The head motion is relative to its first position; glTF axes are those of three.js.
 * `neutral`: (V * 3) the person's neutral vertices in meters; `paint`: the painted skin.
 */
export async function takeAsGlb(
  model: FaceModel, neutral: Float32Array, steps: TakeStep[], paint: HTMLCanvasElement,
): Promise<Blob> {
  const buffers = new Buffers();
  const size = model.mean.length;
  const plain = {
    POSITION: buffers.accessor(neutral, "VEC3", bounds(neutral), VERTICES),
    NORMAL: buffers.accessor(vertexNormals(neutral, model.triangles), "VEC3", {}, VERTICES),
    COLOR_0: buffers.accessor(surfaceColors(model), "VEC3", {}, VERTICES),
  };
  const textured = { ...plain, TEXCOORD_0: buffers.accessor(surfaceUv(model), "VEC2", {}, VERTICES) };
  const parts = surfaceParts(model);
  const targets = [...Array(model.expression.count).keys()].map((k) => ({
    POSITION: buffers.sparse(displacement(model.expression, k, size)),
  }));
  const primitives = parts.map((part, material) => ({
    attributes: part.texture ? textured : plain,
    indices: buffers.accessor(part.triangles, "SCALAR", {}, INDICES),
    material,
    targets,
  }));
  const names = model.blendshapesAreExpression ? model.blendshapeNames : targets.map((_, k) => `expression_${k}`);
  const animation = animate(buffers, steps, targets.length, model.blendshapesAreExpression);
  const json = {
    asset: { version: "2.0", generator: "face_expr_ros" },
    scene: 0,
    scenes: [{ nodes: [0] }],
    nodes: [{ name: "head", mesh: 0 }],
    meshes: [{ name: "face", primitives, weights: targets.map(() => 0), extras: { targetNames: names } }],
    ...(await materials(buffers, parts, paint)),
    animations: animation ? [animation] : undefined,
    accessors: buffers.accessors,
    bufferViews: buffers.views,
    buffers: [{ byteLength: buffers.length }],
  };
  return pack(JSON.stringify(json), buffers);
}

/** The materials in the order of the parts, with their textures and images. */
async function materials(buffers: Buffers, parts: SurfacePart[], paint: HTMLCanvasElement): Promise<object> {
  const images = [
    { name: "skin", mimeType: "image/jpeg", bufferView: buffers.view(await encoded(paint, "image/jpeg")) },
    { name: "eye", mimeType: "image/png", bufferView: buffers.view(await encoded(eyeCanvas(), "image/png")) },
  ].filter(({ name }) => parts.some((part) => part.texture === name));
  const texture = (part: SurfacePart): object => {
    const index = images.findIndex(({ name }) => name === part.texture);
    return index < 0 ? {} : { baseColorTexture: { index } };
  };
  const list = parts.map((part) => ({
    name: part.name,
    doubleSided: part.name === "mouth",
    pbrMetallicRoughness: { ...texture(part), metallicFactor: 0, roughnessFactor: part.roughness },
  }));
  if (!images.length) return { materials: list };
  return {
    materials: list,
    images,
    samplers: [{ magFilter: LINEAR, minFilter: LINEAR_MIPMAP_LINEAR, wrapS: CLAMP, wrapT: CLAMP }],
    textures: images.map((_, source) => ({ source, sampler: 0 })),
  };
}

function animate(
  buffers: Buffers, frames: TakeStep[], count: number, blendshapes: boolean,
): object | null {
  if (!frames.length) return null;
  const begin = frames[0].stamp;
  const times = Float32Array.from(frames, ({ stamp }) => stamp - begin);
  const input = buffers.accessor(times, "SCALAR", { min: [0], max: [times[times.length - 1]] });
  const weights = new Float32Array(frames.length * count);
  const rotations = new Float32Array(frames.length * 4), translations = new Float32Array(frames.length * 3);
  const start = headPosition(frames[0].face), place = new Vector3(), turn = new Quaternion(), last = new Quaternion();
  frames.forEach(({ face }, k) => {
    const values = blendshapes ? face.blendshapes : face.expression ?? [];
    for (let j = 0; j < Math.min(count, values.length); j++) weights[k * count + j] = values[j];
    headPosition(face, place).sub(start).toArray(translations, 3 * k);
    headRotation(face, turn);
    // The quaternion in the hemisphere of the previous one, because players interpolate.
    if (last.dot(turn) < 0) turn.set(-turn.x, -turn.y, -turn.z, -turn.w);
    last.copy(turn).toArray(rotations, 4 * k);
  });
  const outputs: [string, number][] = [
    ["weights", buffers.accessor(weights, "SCALAR")],
    ["rotation", buffers.accessor(rotations, "VEC4")],
    ["translation", buffers.accessor(translations, "VEC3")],
  ];
  return {
    name: "take",
    channels: outputs.map(([path], sampler) => ({ sampler, target: { node: 0, path } })),
    samplers: outputs.map(([, output]) => ({ input, output, interpolation: "LINEAR" })),
  };
}

function pack(json: string, buffers: Buffers): Blob {
  const text = new TextEncoder().encode(json);
  const padding = new Uint8Array((4 - (text.length % 4)) % 4).fill(0x20);
  const textLength = text.length + padding.length;
  const header = new Uint32Array([
    GLB_MAGIC, 2, 12 + 8 + textLength + 8 + buffers.length, textLength, JSON_CHUNK,
  ]);
  const parts: BlobPart[] = [header, text, padding, new Uint32Array([buffers.length, BINARY_CHUNK])];
  for (const chunk of buffers.chunks) parts.push(chunk as BlobPart);
  return new Blob(parts, { type: "model/gltf-binary" });
}
