// Material of the face: skin with painted lips and brows, eyes with an iris, teeth, eyelashes; or the camera picture.

import {
  BufferAttribute, CanvasTexture, Color, DoubleSide, type IUniform, Matrix4, MeshLambertMaterial, MeshStandardMaterial, SRGBColorSpace, Texture,
  Vector3, type BufferGeometry,
} from "three";
import { CHEEKS, LEFT_BROW, LIPS_INNER, LIPS_OUTER, RIGHT_BROW } from "./contours";
import { landmarkPoints } from "./shape";
import type { FaceModel } from "./model";
import {
  FRAGMENT_COLOR, FRAGMENT_HEAD, FRAGMENT_LIGHT, FRAGMENT_ROUGHNESS, PAINT_TOP, PAINT_WIDTH, VERTEX_END, VERTEX_HEAD,
} from "./skin_shader";

const SKIN = new Color("#d9a184");
const COLORS: Record<string, string> = {
  skin: "#d9a184", upper_teeth: "#e9e3d3", lower_teeth: "#e0d9c8", tongue: "#cf6f72", eyelashes: "#3a2a22",
  inner_mouth: "#6b2426",
};
const KIND: Record<string, number> = { skin: 0, left_eyeball: 1, right_eyeball: 1, eyelashes: 3 };
const OTHER_KIND = 2;
const PAINT_SIZE = 1024; // pixels

/** Variable uniforms of one face: the camera picture and its projection. */
export interface SkinUniforms {
  [name: string]: IUniform;
  picture: IUniform<Texture | null>;
  /** From model axes to homogeneous picture coordinates (u w, v w, w). */
  pictureMatrix: IUniform<Matrix4>;
  /** Camera center in model axes. */
  pictureEye: IUniform<Vector3>;
  pictureAmount: IUniform<number>;
  /** Linear average color of the face in the picture; 0 if unknown. */
  tone: IUniform<Color>;
  /** Fade-out of the bust: model y in meters, from and to. */
  fade: IUniform<[number, number]>;
  /** Brightness factor; below 1 under an overlay. */
  dim: IUniform<number>;
}

/** Adds the attributes of the material to a geometry: color, kind of surface, position on the mean face. */
export function addSurface(geometry: BufferGeometry, model: FaceModel): void {
  const { vertexCount, mean } = model;
  const color = new Float32Array(vertexCount * 3);
  const kind = new Float32Array(vertexCount);
  const rest = mean.slice();
  const centers = eyeCenters(model);
  const one = new Color();
  for (let v = 0; v < vertexCount; v++) {
    const part = model.parts ? model.partNames[model.parts[v]] : "skin";
    partColor(model, v, one).toArray(color, 3 * v);
    kind[v] = KIND[part] ?? OTHER_KIND;
    const center = centers[part];
    if (center) for (let axis = 0; axis < 3; axis++) rest[3 * v + axis] -= center[axis];
  }
  geometry.setAttribute("color", new BufferAttribute(color, 3));
  geometry.setAttribute("kind", new BufferAttribute(kind, 1));
  geometry.setAttribute("rest", new BufferAttribute(rest, 3));
}

/** Sets the color of a vertex; vertex -1 is the skin. */
export function partColor(model: FaceModel, vertex: number, into: Color): Color {
  const part = model.parts && vertex >= 0 ? model.partNames[model.parts[vertex]] : "skin";
  if (part in COLORS) return into.set(COLORS[part]);
  if (!model.colors || vertex < 0) return into.copy(SKIN);
  return into.setRGB(model.colors[3 * vertex] / 255, model.colors[3 * vertex + 1] / 255, model.colors[3 * vertex + 2] / 255, SRGBColorSpace);
}

/** Eyeball centers of the mean face, by part. */
export function eyeCenters(model: FaceModel): Record<string, number[]> {
  const centers: Record<string, number[]> = {};
  for (const part of ["left_eyeball", "right_eyeball"]) {
    const index = model.partNames.indexOf(part);
    if (!model.parts || index < 0) continue;
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    model.parts.forEach((p, v) => {
      for (let axis = 0; axis < 3 && p === index; axis++) {
        low[axis] = Math.min(low[axis], model.mean[3 * v + axis]);
        high[axis] = Math.max(high[axis], model.mean[3 * v + axis]);
      }
    });
    centers[part] = low.map((value, axis) => (value + high[axis]) / 2);
  }
  return centers;
}

/** Paints lips, brows and cheeks of the mean face in frontal projection. */
export function paintSkin(model: FaceModel): CanvasTexture {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = PAINT_SIZE;
  const pen = canvas.getContext("2d")!;
  pen.fillStyle = `#${SKIN.getHexString()}`;
  pen.fillRect(0, 0, PAINT_SIZE, PAINT_SIZE);
  if (model.landmarks) {
    const points = landmarkPoints(model, model.mean);
    const scale = PAINT_SIZE / PAINT_WIDTH;
    const place = (p: number): [number, number] => [
      (points[3 * p] + PAINT_WIDTH / 2) * scale, (PAINT_TOP - points[3 * p + 1]) * scale,
    ];
    paintCheeks(pen, place);
    paintLips(pen, place);
    for (const brow of [LEFT_BROW, RIGHT_BROW]) paintBrow(pen, brow.upper.map(place), brow.lower.map(place));
  }
  const texture = new CanvasTexture(canvas);
  texture.colorSpace = SRGBColorSpace;
  texture.anisotropy = 4;
  texture.flipY = false;
  return texture;
}

type Place = (landmark: number) => [number, number];

function paintCheeks(pen: CanvasRenderingContext2D, place: Place): void {
  for (const [landmark, radius, strength] of [[CHEEKS[0], 150, 0.2], [CHEEKS[1], 150, 0.2], [4, 85, 0.16]]) {
    const [x, y] = place(landmark);
    const glow = pen.createRadialGradient(x, y, 0, x, y, radius);
    glow.addColorStop(0, `rgba(196, 84, 68, ${strength})`);
    glow.addColorStop(1, "rgba(196, 84, 68, 0)");
    pen.fillStyle = glow;
    pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
  }
}

function paintLips(pen: CanvasRenderingContext2D, place: Place): void {
  const trace = (line: number[]): void => {
    line.forEach((p, k) => (k ? pen.lineTo(...place(p)) : pen.moveTo(...place(p))));
    pen.closePath();
  };
  pen.save();
  pen.filter = "blur(5px)";
  pen.fillStyle = "rgba(178, 88, 82, 0.66)";
  pen.beginPath();
  trace(LIPS_OUTER);
  pen.fill();
  pen.filter = "blur(4px)";
  pen.strokeStyle = "rgba(122, 48, 46, 0.8)";
  pen.lineWidth = 7;
  pen.beginPath();
  trace(LIPS_INNER);
  pen.stroke();
  pen.restore();
}

/** Paints hairs from the lower to the upper edge, leaning outwards; deterministic. */
function paintBrow(pen: CanvasRenderingContext2D, upper: [number, number][], lower: [number, number][]): void {
  let seed = 7;
  const random = (): number => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const along = (line: [number, number][], t: number): [number, number] => {
    const at = Math.min(line.length - 1.001, t * (line.length - 1)), k = Math.floor(at), f = at - k;
    return [line[k][0] + f * (line[k + 1][0] - line[k][0]), line[k][1] + f * (line[k + 1][1] - line[k][1])];
  };
  pen.save();
  pen.lineCap = "round";
  for (let hair = 0; hair < 520; hair++) {
    const t = random(), across = random();
    const [x0, y0] = along(lower, t), [x1, y1] = along(upper, t);
    const [ax, ay] = along(lower, Math.min(1, t + 0.12)), [bx, by] = along(upper, Math.min(1, t + 0.12));
    const lean = 0.35 + 0.5 * t;
    const startX = x0 + (x1 - x0) * across * 0.75, startY = y0 + (y1 - y0) * across * 0.75;
    const outX = (ax + bx) / 2 - (x0 + x1) / 2, outY = (ay + by) / 2 - (y0 + y1) / 2;
    const fade = Math.min(1, 6 * t + 0.25, 4 * (1 - t) + 0.15) * (1 - 0.45 * Math.abs(2 * across - 1));
    pen.strokeStyle = `rgba(46, 30, 24, ${0.5 * fade})`;
    pen.lineWidth = 1.6 + random();
    pen.beginPath();
    pen.moveTo(startX, startY);
    pen.lineTo(startX + outX * lean * 1.3 + (x1 - x0) * 0.3, startY + outY * lean * 1.3 + (y1 - y0) * 0.3);
    pen.stroke();
  }
  pen.restore();
}

export type SkinMaterial = MeshStandardMaterial | MeshLambertMaterial;

/** The material of one face; the bust fades out over `fade` (from, to: model y in meters). `software`: without a GPU. */
export function skinMaterial(paint: Texture, fade: [number, number], software: boolean): { material: SkinMaterial; uniforms: SkinUniforms } {
  const uniforms: SkinUniforms = {
    picture: { value: null },
    pictureMatrix: { value: new Matrix4() },
    pictureEye: { value: new Vector3(0, 0, 1) },
    pictureAmount: { value: 0 },
    dim: { value: 1 },
    tone: { value: new Color(0, 0, 0) },
    paint: { value: paint },
    fade: { value: fade },
  };
  const common = { vertexColors: true, side: DoubleSide, transparent: true };
  // Reflections take most of a frame in software: only the eyes have a highlight there.
  const material = software ? new MeshLambertMaterial(common) : new MeshStandardMaterial({ ...common, roughness: 0.62, metalness: 0 });
  if (software) material.defines = { ...material.defines, HIGHLIGHT: "" };
  material.forceSinglePass = true;
  material.onBeforeCompile = (shader) => {
    Object.assign(shader.uniforms, uniforms);
    const after = (source: string, chunk: string, text: string): string => source.replace(`#include <${chunk}>`, `#include <${chunk}>\n${text}`);
    shader.vertexShader = after(VERTEX_HEAD + shader.vertexShader, "project_vertex", VERTEX_END);
    let fragment = after(FRAGMENT_HEAD + shader.fragmentShader, "color_fragment", FRAGMENT_COLOR);
    fragment = after(fragment, "roughnessmap_fragment", FRAGMENT_ROUGHNESS);
    shader.fragmentShader = fragment.replace("#include <opaque_fragment>", `${FRAGMENT_LIGHT}\n#include <opaque_fragment>`);
  };
  return { material, uniforms };
}
