// Takes in the formats of motion capture: the CSV of the app Live Link Face, and BVH.

import { Euler, MathUtils, Quaternion, Vector3 } from "three";
import type { FaceFrame } from "./codec";
import { headPosition, headRotation } from "./pose";

export interface TakeStep {
  /** Image stamp, seconds. */
  stamp: number;
  face: FaceFrame;
}

// Columns, signs and timecode of the app's own recordings; face_expr_ros/serialization/live_link_csv.py documents them.
const SWAPPED: Record<string, string> = { jawLeft: "jawRight", jawRight: "jawLeft", mouthLeft: "mouthRight", mouthRight: "mouthLeft" };
const ANGLES = ["HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll", "RightEyeYaw", "RightEyePitch", "RightEyeRoll"];
const TIMECODE_RATE = 60; // frames per second
const GAZE_RANGE = MathUtils.degToRad(28); // for an eyeLook blendshape of 1
const DAY = 24 * 3600;

/** Rows of the steps of one face; `names`: of the blendshapes. */
export function liveLinkCsv(names: string[], steps: TakeStep[]): string {
  const order = names.map((name) => names.indexOf(SWAPPED[name] ?? name));
  const columns = order.map((k) => names[k][0].toUpperCase() + names[k].slice(1));
  const head = ["Timecode", "BlendShapeCount", ...columns, ...ANGLES].join(",");
  const rows = steps.map(({ stamp, face }) => {
    const angles = [...headAngles(face), ...eyeAngles(names, face)];
    const numbers = [...order.map((k) => face.blendshapes[k]), ...angles].map((value) => (value + 0).toFixed(10));
    return [timecode(stamp), names.length + ANGLES.length, ...numbers].join(",");
  });
  return [head, ...rows].join("\n") + "\n";
}

/** Radians: to the subject's left, up, towards their right shoulder. */
function headAngles(face: FaceFrame): number[] {
  const { x, y, z } = new Euler().setFromQuaternion(headRotation(face), "YXZ");
  return [y, -x, z];
}

/** Radians, of the left and of the right eye: to the subject's right, down, 0. */
function eyeAngles(names: string[], face: FaceFrame): number[] {
  const value = (name: string): number => face.blendshapes[names.indexOf(name)] ?? 0;
  return ["Left", "Right"].flatMap((side) => {
    const inwards = value(`eyeLookIn${side}`) - value(`eyeLookOut${side}`);
    const down = value(`eyeLookDown${side}`) - value(`eyeLookUp${side}`);
    return [GAZE_RANGE * (side === "Left" ? inwards : -inwards), GAZE_RANGE * down, 0];
  });
}

/** HH:MM:SS:FF.fff, the time of day in UTC. */
function timecode(stamp: number): string {
  const thousandths = Math.floor((stamp % DAY) * TIMECODE_RATE * 1000);
  const frames = Math.floor(thousandths / 1000), seconds = Math.floor(frames / TIMECODE_RATE);
  const two = (value: number): string => String(value).padStart(2, "0");
  const part = String(thousandths % 1000).padStart(3, "0");
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}:${two(frames % TIMECODE_RATE)}.${part}`;
}

const BVH_RATE = 60; // frames per second; BVH has a constant frame time
const HEAD_LENGTH = 15; // centimeters

/** The head as the only joint, in centimeters and degrees, relative to its first position. */
export function takeAsBvh(steps: TakeStep[]): string {
  const begin = steps[0].stamp, duration = steps.at(-1)!.stamp - begin;
  const count = Math.max(1, Math.round(duration * BVH_RATE) + 1);
  const origin = headPosition(steps[0].face);
  const place = new Vector3(), turn = new Quaternion(), angles = new Euler();
  const lines: string[] = [];
  for (let frame = 0, next = 1; frame < count; frame++) {
    const time = begin + frame / BVH_RATE;
    while (next < steps.length - 1 && steps[next].stamp < time) next++;
    const before = steps[Math.max(0, next - 1)], after = steps[Math.min(next, steps.length - 1)];
    const span = after.stamp - before.stamp;
    const share = span > 0 ? Math.min(1, Math.max(0, (time - before.stamp) / span)) : 0;
    headPosition(before.face, place).lerp(headPosition(after.face), share).sub(origin).multiplyScalar(100);
    headRotation(before.face, turn).slerp(headRotation(after.face), share);
    angles.setFromQuaternion(turn, "YXZ");
    const numbers = [place.x, place.y, place.z, ...[angles.y, angles.x, angles.z].map(MathUtils.radToDeg)];
    lines.push(numbers.map((value) => value.toFixed(5)).join(" "));
  }
  return `HIERARCHY
ROOT Head
{
\tOFFSET 0.0 0.0 0.0
\tCHANNELS 6 Xposition Yposition Zposition Yrotation Xrotation Zrotation
\tEnd Site
\t{
\t\tOFFSET 0.0 ${HEAD_LENGTH.toFixed(1)} 0.0
\t}
}
MOTION
Frames: ${count}
Frame Time: ${(1 / BVH_RATE).toFixed(8)}
${lines.join("\n")}
`;
}
