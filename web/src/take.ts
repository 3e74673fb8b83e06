// A recorded take of the stream, as JSON or CSV.

import type { FaceFrame, StreamFrame } from "./codec";

export interface TakeFrame {
  /** Image stamp, seconds. */
  stamp: number;
  faces: FaceFrame[];
}

const MAX_FRAMES = 30 * 60 * 10; // ten minutes at 30 Hz

export class Take {
  readonly frames: TakeFrame[] = [];

  constructor(readonly names: string[], readonly model: string) {}

  /** Adds a frame; false if the take is full. */
  add(frame: Pick<StreamFrame, "stamp" | "faces">): boolean {
    const last = this.frames.at(-1);
    // Stamps must increase: frames that a looping recording repeats are ignored.
    if (last && frame.stamp <= last.stamp) return true;
    this.frames.push({ stamp: frame.stamp, faces: frame.faces });
    return this.frames.length < MAX_FRAMES;
  }

  get seconds(): number {
    return this.frames.length ? this.frames.at(-1)!.stamp - this.frames[0].stamp : 0;
  }

  /** Names and frames with their faces; meters, quaternions xyzw from model axes to the camera frame. */
  json(): string {
    const frames = this.frames.map(({ stamp, faces }) => ({
      stamp,
      faces: faces.map((face) => ({
        id: `f${face.id}`,
        position: face.position.map(rounded),
        quaternion_xyzw: face.quaternion.map(rounded),
        metric: face.metric,
        label: face.label,
        valence: rounded(face.valence),
        arousal: rounded(face.arousal),
        mouth_open: face.mouthOpen,
        blendshapes: Array.from(face.blendshapes, rounded),
        ...(face.shape ? { shape: Array.from(face.shape, rounded) } : {}),
      })),
    }));
    return JSON.stringify({ format: "face_expr take", version: 1, model: this.model, blendshape_names: this.names, frames });
  }

  /** One row per face and frame. */
  csv(): string {
    const head = ["stamp", "id", "x", "y", "z", "qx", "qy", "qz", "qw", "valence", "arousal", "label", "mouth_open", ...this.names];
    const rows = this.frames.flatMap(({ stamp, faces }) => faces.map((face) => [
      stamp.toFixed(6), `f${face.id}`, ...face.position.map(rounded), ...face.quaternion.map(rounded),
      rounded(face.valence), rounded(face.arousal), face.label, Number(face.mouthOpen), ...Array.from(face.blendshapes, rounded),
    ].join(",")));
    return [head.join(","), ...rows].join("\n") + "\n";
  }

  /** The frames of one face. */
  of(id: number): { stamp: number; face: FaceFrame }[] {
    return this.frames.flatMap(({ stamp, faces }) => faces.filter((face) => face.id === id).map((face) => ({ stamp, face })));
  }
}

const rounded = (value: number): number => Math.round(value * 1e5) / 1e5;
