// The surface of a take's glTF file: painted skin, eyes with iris and pupil, hair; as the page draws them.

import { Color } from "three";
import type { FaceModel } from "./model";
import { eyeCenters, partColor } from "./skin";
import { hairAt } from "./hair";
import { PAINT_TOP, PAINT_WIDTH } from "./skin_shader";

const FRONT = -0.06; // meters: skin in front of it is painted in frontal projection
const EYE_SIZE = 256; // pixels
const HAIR = new Color(0.045, 0.03, 0.024); // linear
const FULL_CIRCLE = 2 * Math.PI;

/** Triangles with one material. */
export interface SurfacePart {
  name: string;
  triangles: Uint32Array;
  texture: "skin" | "eye" | null;
  roughness: number;
}

/** The triangles of a model by material. */
export function surfaceParts(model: FaceModel): SurfacePart[] {
  const kinds: Record<string, number[]> = { face: [], scalp: [], eyes: [], mouth: [] };
  for (let t = 0; t < model.triangles.length; t += 3) {
    const corners = [...model.triangles.subarray(t, t + 3)];
    kinds[kindOf(model, corners)].push(...corners);
  }
  const textures = { face: "skin", eyes: "eye" } as const;
  return Object.entries(kinds).filter(([, corners]) => corners.length).map(([name, corners]) => ({
    name,
    triangles: Uint32Array.from(corners),
    texture: textures[name as "face" | "eyes"] ?? null,
    roughness: { face: 0.6, scalp: 0.7, eyes: 0.15, mouth: 0.4 }[name]!,
  }));
}

function kindOf(model: FaceModel, corners: number[]): string {
  const part = partName(model, corners[0]);
  if (/eyeball/.test(part)) return "eyes";
  if (part !== "skin") return "mouth";
  const painted = model.landmarks !== null && corners.every((v) => model.mean[3 * v + 2] > FRONT);
  return painted ? "face" : "scalp";
}

const partName = (model: FaceModel, vertex: number): string => (model.parts ? model.partNames[model.parts[vertex]] : "skin");

/** Texture coordinates (V * 2): of the painted skin, and of the eyes in frontal projection. */
export function surfaceUv(model: FaceModel): Float32Array {
  const uv = new Float32Array(model.vertexCount * 2);
  const centers = eyeCenters(model);
  for (let v = 0; v < model.vertexCount; v++) {
    const [x, y, z] = model.mean.subarray(3 * v, 3 * v + 3);
    const center = centers[partName(model, v)];
    if (center) {
      const way = [x - center[0], y - center[1], z - center[2]];
      const length = Math.hypot(...way) || 1;
      uv.set([0.5 + 0.49 * (way[0] / length), 0.5 - 0.49 * (way[1] / length)], 2 * v);
    } else {
      uv.set([x / PAINT_WIDTH + 0.5, (PAINT_TOP - y) / PAINT_WIDTH], 2 * v);
    }
  }
  return uv;
}

/** Linear vertex colors (V * 3); those of textured parts multiply the texture. */
export function surfaceColors(model: FaceModel): Float32Array {
  const colors = new Float32Array(model.vertexCount * 3);
  const color = new Color(), skin = partColor(model, -1, new Color());
  for (let v = 0; v < model.vertexCount; v++) {
    const part = partName(model, v);
    partColor(model, v, color);
    if (part === "skin") color.lerp(HAIR, 0.9 * hairAt(model.mean[3 * v], model.mean[3 * v + 1], model.mean[3 * v + 2]));
    color.toArray(colors, 3 * v);
  }
  for (const { texture, triangles } of surfaceParts(model)) {
    if (!texture) continue;
    for (const v of new Set(triangles)) {
      const tint = texture === "eye" ? [1, 1, 1] : [0, 1, 2].map((k) => Math.min(1, colors[3 * v + k] / skin.toArray()[k]));
      colors.set(tint, 3 * v);
    }
  }
  return colors;
}

/** An eye seen from the front: white, iris and pupil. */
export function eyeCanvas(): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = EYE_SIZE;
  const pen = canvas.getContext("2d")!;
  const center = EYE_SIZE / 2;
  const disc = (angle: number, style: string | CanvasGradient): void => {
    pen.fillStyle = style;
    pen.beginPath();
    pen.arc(center, center, 0.49 * EYE_SIZE * Math.sin(angle), 0, FULL_CIRCLE);
    pen.fill();
  };
  pen.fillStyle = "#ded8d2";
  pen.fillRect(0, 0, EYE_SIZE, EYE_SIZE);
  disc(0.42, "#3c4a52");
  const iris = pen.createRadialGradient(center, center, 0.06 * EYE_SIZE, center, center, 0.19 * EYE_SIZE);
  iris.addColorStop(0, "#a08a60");
  iris.addColorStop(0.45, "#86a3b0");
  iris.addColorStop(1, "#5d7885");
  disc(0.39, iris);
  disc(0.165, "#0b0a0a");
  return canvas;
}

/** The image file of a canvas. */
export async function encoded(canvas: HTMLCanvasElement, type: "image/jpeg" | "image/png"): Promise<Uint8Array> {
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, type, 0.92));
  if (!blob) throw new Error(`the browser cannot encode ${type}`);
  return new Uint8Array(await blob.arrayBuffer());
}
