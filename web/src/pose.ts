// From the camera's optical frame (x right, y down, z forward) to three.js's axes (x right, y up, z towards the viewer).
// Both are turned by diag(1, -1, -1): a face that looks into the camera has that rotation from model axes to the camera,
// and so none at all in three.js.

import { Quaternion, Vector3 } from "three";
import type { FaceFrame } from "./codec";

const HALF_TURN = new Quaternion(1, 0, 0, 0);

export function headPosition(face: FaceFrame, into = new Vector3()): Vector3 {
  const [x, y, z] = face.position;
  return into.set(x, -y, -z);
}

/** From model axes. */
export function headRotation(face: FaceFrame, into = new Quaternion()): Quaternion {
  const [x, y, z, w] = face.quaternion;
  return into.set(x, y, z, w).normalize().premultiply(HALF_TURN);
}
