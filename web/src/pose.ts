// From the camera's optical frame (x right, y down, z forward) to three.js axes (x right, y up, z towards the viewer):
// a rotation by diag(1, -1, -1). A face that looks into the camera has this rotation from model axes to the camera, and
// therefore the identity in three.js.

import { Quaternion, Vector3 } from "three";
import type { FaceFrame } from "./codec";

const HALF_TURN = new Quaternion(1, 0, 0, 0);

export function headPosition(face: FaceFrame, into = new Vector3()): Vector3 {
  const [x, y, z] = face.position;
  return into.set(x, -y, -z);
}

/** Rotation from model axes. */
export function headRotation(face: FaceFrame, into = new Quaternion()): Quaternion {
  const [x, y, z, w] = face.quaternion;
  return into.set(x, y, z, w).normalize().premultiply(HALF_TURN);
}
