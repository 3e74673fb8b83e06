// The surface of the face: parts and their colors, painted lips, brows and cheeks.

import { BufferAttribute, CanvasTexture, Color, LinearMipmapNearestFilter, NoColorSpace, SRGBColorSpace, type BufferGeometry } from "three";
import { CHEEKS, LEFT_BROW, LIPS_INNER, LIPS_OUTER, RIGHT_BROW } from "./contours";
import { landmarkPoints } from "./shape";
import type { FaceModel } from "./model";
import { PAINT_TOP, PAINT_WIDTH } from "./skin_shader";

const SKIN = new Color("#d9a184");
const COLORS: Record<string, string> = {
  skin: "#d9a184", upper_teeth: "#e9e3d3", lower_teeth: "#e0d9c8", tongue: "#cf6f72", eyelashes: "#3a2a22",
  inner_mouth: "#6b2426",
};
const KIND: Record<string, number> = { skin: 0, left_eyeball: 1, right_eyeball: 1, eyelashes: 3 };
const OTHER_KIND = 2;
const PAINT_SIZE = 1024; // pixels

/** Adds to a geometry what the materials need: color, kind of surface, position on the mean face; groups of skin and of other parts. */
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
  groupParts(geometry, kind);
  geometry.setAttribute("color", new BufferAttribute(color, 3));
  geometry.setAttribute("kind", new BufferAttribute(kind, 1));
  geometry.setAttribute("rest", new BufferAttribute(rest, 3));
}

/** Sorts the triangles into two groups: skin, and all other parts. */
function groupParts(geometry: BufferGeometry, kind: Float32Array): void {
  const index = geometry.getIndex()!;
  const skin: number[] = [], others: number[] = [];
  for (let k = 0; k < index.count; k += 3) {
    const corners = [0, 1, 2].map((corner) => index.getX(k + corner));
    (corners.every((vertex) => kind[vertex] === KIND.skin) ? skin : others).push(...corners);
  }
  geometry.setIndex(new BufferAttribute(Uint32Array.from([...skin, ...others]), 1));
  geometry.addGroup(0, skin.length, 0);
  geometry.addGroup(skin.length, others.length, 1);
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

/** Paints lips, brows and cheeks of the mean face in frontal projection. `software`: for skin_software.ts. */
export function paintSkin(model: FaceModel, software = false): CanvasTexture {
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
  texture.colorSpace = software ? NoColorSpace : SRGBColorSpace;
  texture.anisotropy = software ? 1 : 4;
  if (software) texture.minFilter = LinearMipmapNearestFilter;
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
