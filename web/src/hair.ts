// The hairline of the painted head: short hair over forehead, temples, ears and nape of the mean face. skin_shader.ts
// evaluates the same per pixel.

import { DataTexture, LinearFilter, LinearMipmapNearestFilter, RGFormat } from "three";

/** The side view that the hair texture covers: model z and y in meters, from and to. */
export const HAIR_Z: [number, number] = [-0.24, 0.04], HAIR_Y: [number, number] = [-0.16, 0.12];
const SIZE = 512; // pixels
export const GRAIN = 700; // cells per meter
export const RAGGED = 0.004; // meters by which the hairline varies

/** 1 on the scalp, 0 on skin; `raise`: meters by which the hairline is lower. */
export function hairAt(x: number, y: number, z: number, raise = 0): number {
  const back = -z;
  let line = mix(0.07, 0.046, step(0.03, 0.062, back));
  line = mix(line, -0.016, step(0.07, 0.077, back));
  line = mix(line, 0.032, step(0.088, 0.096, back));
  line = mix(line, -0.045, step(0.128, 0.14, back));
  line = mix(line, -0.085, step(0.15, 0.19, back));
  const ear = step(0.0745, 0.0775, Math.abs(x)) * (1 - step(0.026, 0.036, y));
  return (1 - ear) * step(-0.007, 0.006, y - line + raise);
}

const mix = (a: number, b: number, t: number): number => a + t * (b - a);

function step(low: number, high: number, value: number): number {
  const t = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return t * t * (3 - 2 * t);
}

/** The hair from the side, without ears: red is the amount of hair, green its brightness. */
export function hairTexture(): DataTexture {
  const data = new Uint8Array(2 * SIZE * SIZE);
  for (let row = 0; row < SIZE; row++) {
    for (let column = 0; column < SIZE; column++) {
      const z = mix(...HAIR_Z, (column + 0.5) / SIZE), y = mix(...HAIR_Y, (row + 0.5) / SIZE);
      const ragged = RAGGED * (noise(Math.floor(GRAIN * y), Math.floor(GRAIN * z)) - 0.5);
      data[2 * (row * SIZE + column)] = 255 * hairAt(0, y, z, ragged);
      data[2 * (row * SIZE + column) + 1] = 255 * noise(row, column);
    }
  }
  const texture = new DataTexture(data, SIZE, SIZE, RGFormat);
  texture.magFilter = LinearFilter;
  texture.minFilter = LinearMipmapNearestFilter;
  texture.generateMipmaps = true;
  texture.needsUpdate = true;
  return texture;
}

/** A number in 0..1 for each cell. */
function noise(row: number, column: number): number {
  const value = Math.sin(12.9898 * row + 78.233 * column) * 43758.5453;
  return value - Math.floor(value);
}
