// Turns the head and the eyes of an avatar, and keeps its face in place.

import type { VRM } from "@pixiv/three-vrm";
import { Euler, Group, MathUtils, Mesh, Quaternion, Vector3, type Object3D } from "three";
import type { Values } from "./avatar_presets";

const NECK_SHARE = 0.3; // of the rotation of the head
const EYE_ANGLE = 28; // degrees for an eyeLook blendshape of 1, as in docs/avatars.md
const IDENTITY = new Quaternion();

/** A bone, its own rotation in the file, and that of its parent and itself in the axes of the group. */
interface Bone {
  node: Object3D;
  own: Quaternion;
  parent: Quaternion;
  world: Quaternion;
}

export class AvatarPose {
  /** Only the head bone turns, not the whole avatar. */
  readonly hasHead: boolean;
  private head: Bone | null;
  private neck: Bone | null;
  private eyes: { bone: Bone; side: "Left" | "Right" }[];
  private sellion = new Vector3(); // in the axes of the head bone
  private turn = new Quaternion();
  private partial = new Quaternion();
  private place = new Vector3();

  /** `group` contains the arranged avatar: its origin is the sellion. Eyes turn by bones if `turnEyes`. */
  constructor(private group: Group, scene: Object3D, private vrm: VRM | null, turnEyes: boolean) {
    group.updateWorldMatrix(true, true);
    this.head = bone(vrm ? vrm.humanoid.getNormalizedBoneNode("head") : named(scene, /(^|[^a-z])head$/i));
    this.neck = this.head && bone(vrm ? vrm.humanoid.getNormalizedBoneNode("neck") : ancestor(this.head.node, /(^|[^a-z])neck\d*$/i));
    this.hasHead = this.head !== null;
    this.head?.node.worldToLocal(group.getWorldPosition(this.sellion));
    this.eyes = [];
    if (vrm?.lookAt) {
      vrm.lookAt.autoUpdate = false;
      this.lookByVrm = turnEyes;
    } else if (turnEyes && !vrm) {
      for (const side of ["Left", "Right"] as const) {
        const eye = bone(named(scene, new RegExp(`(^|[^a-z])(${side}_?eye|eye_?(${side}|${side[0]}))$`, "i")));
        if (eye) this.eyes.push({ bone: eye, side });
      }
    }
  }

  private lookByVrm = false;

  /** `rotation`: of the head in the axes of the group. */
  apply(rotation: Quaternion, values: Values): void {
    this.turnEyes(values);
    if (!this.head) {
      this.group.quaternion.copy(rotation);
      return;
    }
    this.partial.copy(IDENTITY);
    if (this.neck) {
      this.partial.slerp(rotation, NECK_SHARE);
      rotate(this.neck, IDENTITY, this.partial);
    }
    rotate(this.head, this.partial, rotation);
  }

  /** Where the rotation has moved the sellion, in the axes of the group; call after `apply`. */
  get displacement(): Vector3 {
    if (!this.head) return this.place.set(0, 0, 0);
    this.head.node.updateWorldMatrix(true, false);
    return this.group.worldToLocal(this.head.node.localToWorld(this.place.copy(this.sellion)));
  }

  private turnEyes(values: Values): void {
    const left = direction(values, "Left"), right = direction(values, "Right");
    if (this.lookByVrm) {
      this.vrm!.lookAt!.yaw = (left.yaw + right.yaw) / 2;
      this.vrm!.lookAt!.pitch = (left.pitch + right.pitch) / 2;
    }
    for (const { bone: eye, side } of this.eyes) {
      const { yaw, pitch } = side === "Left" ? left : right;
      rotate(eye, IDENTITY, this.turn.setFromEuler(new Euler(MathUtils.degToRad(pitch), MathUtils.degToRad(yaw), 0, "YXZ")));
    }
  }
}

/** Degrees; yaw > 0 is to the subject's left, pitch > 0 is down. */
function direction(values: Values, side: "Left" | "Right"): { yaw: number; pitch: number } {
  const outwards = EYE_ANGLE * (values(`eyeLookOut${side}`) - values(`eyeLookIn${side}`));
  const down = EYE_ANGLE * (values(`eyeLookDown${side}`) - values(`eyeLookUp${side}`));
  return { yaw: side === "Left" ? outwards : -outwards, pitch: down };
}

function bone(node: Object3D | null): Bone | null {
  if (!node) return null;
  const world = node.getWorldQuaternion(new Quaternion());
  return { node, own: node.quaternion.clone(), world, parent: node.parent!.getWorldQuaternion(new Quaternion()) };
}

/** Turns a bone by `turn` from its own rotation, in the axes of the group; its parent is turned by `before`. */
function rotate({ node, parent, world }: Bone, before: Quaternion, turn: Quaternion): void {
  node.quaternion.copy(before).multiply(parent).invert().multiply(turn).multiply(world);
}

function named(scene: Object3D, pattern: RegExp): Object3D | null {
  let found: Object3D | null = null;
  scene.traverse((object) => {
    if (pattern.test(object.name) && !(object instanceof Mesh)) found ??= object;
  });
  return found;
}

function ancestor(node: Object3D, pattern: RegExp): Object3D | null {
  for (let one = node.parent; one; one = one.parent) if (pattern.test(one.name)) return one;
  return null;
}
