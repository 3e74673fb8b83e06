// The user's own avatar, driven by the same values: a .glb with ARKit's morph names, or a .vrm. Loaded when it is wanted.

import { VRMExpressionMorphTargetBind, VRMLoaderPlugin, VRMUtils, type VRM } from "@pixiv/three-vrm";
import { Box3, Group, Mesh, Quaternion, TextureLoader, Vector3, type Object3D } from "three";
import { GLTFLoader, type GLTFParser } from "three/examples/jsm/loaders/GLTFLoader.js";
import { movedRegion, type Morph } from "./moved_region";

const HEAD_HEIGHT = 0.25; // meters, of the face that the stage is arranged for
const HEAD_MIDDLE = new Vector3(0, -0.03, -0.03); // from its sellion
// Of the open model: what the 52 blendshapes move, brows to throat.
const REGION_HEIGHT = 0.196, REGION_MIDDLE = new Vector3(0, -0.044, -0.035);
const REGION_NAMES = 20; // fewer blendshapes may move the mouth alone
const BONE_TO_MIDDLE = 0.09, BONED_HEIGHT = 1.1 * HEAD_HEIGHT; // of a VRM, whose unit is the meter
// What a VRM without ARKit's expressions has, from what the stream has.
const VRM_PRESETS: Record<string, (value: (name: string) => number) => number> = {
  blinkLeft: (value) => value("eyeBlinkLeft"),
  blinkRight: (value) => value("eyeBlinkRight"),
  aa: (value) => Math.min(1, 1.4 * value("jawOpen")),
  ou: (value) => Math.max(value("mouthPucker"), value("mouthFunnel")),
  happy: (value) => 0.8 * Math.min(value("mouthSmileLeft"), value("mouthSmileRight")),
};

/** eyeBlink_L, EyeBlinkLeft, A14_Eye_Blink_Left and blendShape1.eyeBlinkLeft are all eyeblinkleft. */
export function plainName(name: string): string {
  const bare = name.split(".").at(-1)!.replace(/^A\d+_/i, "").replace(/_L$/, "Left").replace(/_R$/, "Right");
  return bare.toLowerCase().replace(/[^a-z0-9]/g, "");
}

/** Textures as <img>: the other way fetches their blob:, which the page's security policy does not allow. */
function loadAsImages(parser: GLTFParser): { name: string } {
  parser.textureLoader = new TextureLoader(parser.options.manager);
  return { name: "images" };
}

export class Avatar {
  readonly group = new Group();
  private bound: (Morph & { index: number })[] = [];
  private expressions: { name: string; index: number }[] = []; // of a VRM; index -1: one of its presets
  private head: Object3D = this.group; // what turns
  private headRest = new Quaternion();
  private turn = new Quaternion();

  private constructor(readonly name: string, private scene: Object3D, private vrm: VRM | null, private names: string[]) {
    this.bindMorphs();
    if (vrm) this.bindExpressions(vrm);
    this.findHead();
    this.arrange();
  }

  /** Raises Error where the file is no glTF, or has none of the blendshapes. */
  static async load(file: File, names: string[]): Promise<Avatar> {
    const loader = new GLTFLoader();
    loader.register((parser) => new VRMLoaderPlugin(parser));
    loader.register(loadAsImages);
    const gltf = await loader.parseAsync(await file.arrayBuffer(), "").catch((error: unknown) => {
      throw new Error(`${file.name} is not a glTF or VRM file (${error instanceof Error ? error.message : String(error)})`);
    });
    const vrm: VRM | null = gltf.userData.vrm ?? null;
    if (vrm) VRMUtils.rotateVRM0(vrm);
    const avatar = new Avatar(file.name, vrm?.scene ?? gltf.scene, vrm, names);
    if (!avatar.bound.length && !avatar.expressions.length) throw new Error(`${file.name} has no morph target with one of ARKit's names, such as jawOpen`);
    return avatar;
  }

  /** How many of the blendshapes move something by their own names. */
  private get driven(): number {
    return new Set([...this.bound, ...this.expressions].map((one) => one.index).filter((index) => index >= 0)).size;
  }

  /** What moves the avatar, in words. */
  get summary(): string {
    const presets = this.expressions.filter((one) => one.index < 0).map((one) => one.name);
    if (presets.length) return `it has none of ARKit's expressions; these of VRM move it: ${presets.join(", ")}`;
    return `${this.driven} of ${this.names.length} blendshapes move it`;
  }

  private bindMorphs(): void {
    const wanted = new Map(this.names.map((name, index) => [plainName(name), index]));
    this.scene.traverse((object) => {
      object.frustumCulled = false; // bounds do not know morphs and bones
      if (!(object instanceof Mesh) || !object.morphTargetDictionary) return;
      for (const [name, morph] of Object.entries(object.morphTargetDictionary)) {
        const index = wanted.get(plainName(name));
        if (index !== undefined) this.bound.push({ mesh: object, morph, index });
      }
    });
  }

  private bindExpressions(vrm: VRM): void {
    const known = new Map(this.names.map((name, index) => [plainName(name), index]));
    for (const expression of vrm.expressionManager?.expressions ?? []) {
      const index = known.get(plainName(expression.expressionName));
      if (index !== undefined) this.expressions.push({ name: expression.expressionName, index });
    }
    // The manager owns the morphs that its expressions move.
    if (this.expressions.length) this.bound = [];
    else if (!this.bound.length) {
      for (const name of Object.keys(VRM_PRESETS)) {
        if (vrm.expressionManager?.getExpression(name)) this.expressions.push({ name, index: -1 });
      }
    }
  }

  /** A bone or node named head; without one the whole avatar turns. */
  private findHead(): void {
    let found = this.vrm?.humanoid.getNormalizedBoneNode("head") ?? null;
    if (!this.vrm) this.scene.traverse((object) => {
      if (/(^|[^a-z])head$/i.test(object.name) && !(object instanceof Mesh)) found ??= object;
    });
    this.head = found ?? this.group;
    this.headRest.copy(this.head.quaternion);
  }

  /** As large as a face, and where a face is. */
  private arrange(): void {
    this.scene.updateMatrixWorld(true);
    const { middle, height, target } = this.measure();
    const scale = target.height / Math.max(height, 1e-6);
    this.scene.position.sub(middle).multiplyScalar(scale).add(target.middle);
    this.scene.scale.multiplyScalar(scale);
    this.group.add(this.scene);
  }

  /** The face in the file, and where it belongs: what the blendshapes move, else the head of a VRM, else all of it. */
  private measure(): { middle: Vector3; height: number; target: { middle: Vector3; height: number } } {
    const morphs = [...this.bound, ...this.expressionMorphs()];
    const whole = { middle: HEAD_MIDDLE, height: HEAD_HEIGHT };
    const box = movedRegion(morphs);
    if (this.driven >= REGION_NAMES && !box.isEmpty()) {
      return { ...spanned(box), target: { middle: REGION_MIDDLE, height: REGION_HEIGHT } };
    }
    const bone = this.vrm?.humanoid.getRawBoneNode("head");
    if (bone) {
      const middle = bone.getWorldPosition(new Vector3());
      middle.y += BONE_TO_MIDDLE;
      return { middle, height: BONED_HEIGHT, target: whole };
    }
    box.makeEmpty();
    for (const { mesh } of morphs) box.expandByObject(mesh, true);
    return { ...spanned(box), target: whole };
  }

  private expressionMorphs(): Morph[] {
    return this.expressions.flatMap(({ name }) => this.vrm?.expressionManager?.getExpression(name)?.binds ?? [])
      .filter((bind) => bind instanceof VRMExpressionMorphTargetBind)
      .flatMap(({ primitives, index }) => primitives.map((mesh) => ({ mesh, morph: index })));
  }

  /** Values in 0..1 in the order of the names, the head's rotation, and the seconds since the last call. */
  drive(values: ArrayLike<number>, rotation: Quaternion, seconds: number): void {
    for (const { mesh, morph, index } of this.bound) mesh.morphTargetInfluences![morph] = values[index];
    const manager = this.vrm?.expressionManager;
    const value = (name: string): number => values[this.names.indexOf(name)] ?? 0;
    for (const { name, index } of this.expressions) manager?.setValue(name, index < 0 ? VRM_PRESETS[name](value) : values[index]);
    this.turn.copy(rotation);
    // A VRM 0 looks backwards and has been turned around: its own x and z point the other way.
    if (this.vrm?.meta.metaVersion === "0") this.turn.set(-rotation.x, rotation.y, -rotation.z, rotation.w);
    this.head.quaternion.copy(this.headRest).premultiply(this.turn);
    this.vrm?.update(seconds);
  }

  /** The weight of a blendshape as the avatar has it; NaN where it has none. */
  weight(name: string): number {
    const index = this.names.indexOf(name);
    const expression = this.expressions.find((one) => one.index === index);
    if (expression) return this.vrm?.expressionManager?.getValue(expression.name) ?? NaN;
    const found = this.bound.find((one) => one.index === index);
    return found ? found.mesh.morphTargetInfluences![found.morph] : NaN;
  }

  dispose(): void {
    VRMUtils.deepDispose(this.scene);
  }
}

function spanned(box: Box3): { middle: Vector3; height: number } {
  return { middle: box.getCenter(new Vector3()), height: box.max.y - box.min.y };
}
