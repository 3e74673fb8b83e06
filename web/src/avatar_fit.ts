// Finds the face of an avatar and matches its size and position to a tracked face.

import type { VRM } from "@pixiv/three-vrm";
import { Box3, Vector3, type Object3D } from "three";
import { movedRegion, type Morph } from "./moved_region";

/** Meters from the sellion to the top of the head and to the chin: size for which the stage is set up. */
const HEAD_HEIGHT = 0.25;
const HEAD_CENTER = new Vector3(0, -0.03, -0.03); // from the sellion
// Region that the 52 blendshapes of the open model move, from brows to throat.
const REGION_HEIGHT = 0.196, REGION_CENTER = new Vector3(0, -0.044, -0.035);
const MIN_REGION_NAMES = 20; // fewer blendshapes may cover only the mouth
const BONE_TO_CENTER = 0.09, VRM_HEAD_HEIGHT = 1.1 * HEAD_HEIGHT; // meters, in a VRM file
const EYE_CENTER = new Vector3(0, -0.004, -0.03); // between the eyeballs, from the sellion

interface Extent {
  center: Vector3;
  height: number;
}

/** Scales and moves a scene so that its sellion is the origin; `count`: number of blendshapes that move `morphs`. */
export function fitToFace(scene: Object3D, vrm: VRM | null, morphs: Morph[], count: number): void {
  scene.updateMatrixWorld(true);
  const { center, height, target } = measure(vrm, morphs, count);
  const scale = target.height / Math.max(height, 1e-6);
  scene.position.sub(center).multiplyScalar(scale).add(target.center);
  scene.scale.multiplyScalar(scale);
  scene.updateMatrixWorld(true);
  alignEyes(scene, vrm);
}

/** The face in the file and its target: moved by the blendshapes, else the VRM head, else the whole mesh. */
function measure(vrm: VRM | null, morphs: Morph[], count: number): Extent & { target: Extent } {
  const whole = { center: HEAD_CENTER, height: HEAD_HEIGHT };
  const box = movedRegion(morphs);
  if (count >= MIN_REGION_NAMES && !box.isEmpty()) {
    return { ...extent(box), target: { center: REGION_CENTER, height: REGION_HEIGHT } };
  }
  const bone = vrm?.humanoid.getRawBoneNode("head");
  if (bone) {
    const center = bone.getWorldPosition(new Vector3());
    center.y += BONE_TO_CENTER;
    return { center, height: VRM_HEAD_HEIGHT, target: whole };
  }
  box.makeEmpty();
  for (const { mesh } of morphs) box.expandByObject(mesh, true);
  return { ...extent(box), target: whole };
}

/** Eye bones mark the height and the depth of the face more exactly. */
function alignEyes(scene: Object3D, vrm: VRM | null): void {
  const eyes = [/(^|[^a-z])(left_?eye|eye_?(left|l))$/i, /(^|[^a-z])(right_?eye|eye_?(right|r))$/i].map((pattern, k) => {
    if (vrm) return vrm.humanoid.getRawBoneNode(k ? "rightEye" : "leftEye");
    let found: Object3D | null = null;
    scene.traverse((object) => {
      if (!("isMesh" in object) && pattern.test(object.name)) found ??= object;
    });
    return found as Object3D | null;
  });
  if (!eyes[0] || !eyes[1]) return;
  const center = eyes[0].getWorldPosition(new Vector3()).add(eyes[1].getWorldPosition(new Vector3())).multiplyScalar(0.5);
  if (Math.abs(center.y - EYE_CENTER.y) > HEAD_HEIGHT / 3) return; // bones of another meaning
  scene.position.add(EYE_CENTER).sub(center);
  scene.updateMatrixWorld(true);
}

function extent(box: Box3): Extent {
  return { center: box.getCenter(new Vector3()), height: box.max.y - box.min.y };
}
