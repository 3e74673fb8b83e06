// The user's avatar: a .glb with ARKit morph target names, or a .vrm. This module is loaded on demand.

import { VRMExpressionMorphTargetBind, VRMLoaderPlugin, VRMUtils, type VRM } from "@pixiv/three-vrm";
import { Box3, Group, Mesh, Quaternion, TextureLoader, Vector3, type Object3D } from "three";
import { GLTFLoader, type GLTFParser } from "three/examples/jsm/loaders/GLTFLoader.js";
import { movedRegion, type Morph } from "./moved_region";

const HEAD_HEIGHT = 0.25; // meters: size for which the stage is set up
const HEAD_CENTER = new Vector3(0, -0.03, -0.03); // from the sellion
// Region that the 52 blendshapes of the open model move, from brows to throat.
const REGION_HEIGHT = 0.196, REGION_CENTER = new Vector3(0, -0.044, -0.035);
const MIN_REGION_NAMES = 20; // fewer blendshapes may cover only the mouth
const BONE_TO_CENTER = 0.09, VRM_HEAD_HEIGHT = 1.1 * HEAD_HEIGHT; // meters, in a VRM file
// Preset expressions of VRM files without ARKit expressions, from blendshapes.
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

/** Loads textures as <img>: fetching blob: URLs is not allowed by the page's security policy. */
function loadAsImages(parser: GLTFParser): { name: string } {
  parser.textureLoader = new TextureLoader(parser.options.manager);
  return { name: "images" };
}

export class Avatar {
  readonly group = new Group();
  private bound: (Morph & { index: number })[] = [];
  private expressions: { name: string; index: number }[] = []; // VRM expressions; index -1 is a preset
  private head: Object3D = this.group; // the rotating node
  private headNeutral = new Quaternion();
  private turn = new Quaternion();

  private constructor(readonly name: string, private scene: Object3D, private vrm: VRM | null, private names: string[]) {
    this.bindMorphs();
    if (vrm) this.bindExpressions(vrm);
    this.findHead();
    this.arrange();
  }

  /** Throws Error if the file is not a glTF or VRM file, or has none of the blendshapes. */
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
    if (!avatar.bound.length && !avatar.expressions.length) throw new Error(`${file.name} has no morph target with an ARKit name such as jawOpen`);
    return avatar;
  }

  /** Number of blendshapes that are bound by name. */
  private get driven(): number {
    return new Set([...this.bound, ...this.expressions].map((one) => one.index).filter((index) => index >= 0)).size;
  }

  /** Description of the bound blendshapes or presets. */
  get summary(): string {
    const presets = this.expressions.filter((one) => one.index < 0).map((one) => one.name);
    if (presets.length) return `no ARKit expressions; driven by the VRM presets ${presets.join(", ")}`;
    return `driven by ${this.driven} of ${this.names.length} blendshapes`;
  }

  private bindMorphs(): void {
    const indices = new Map(this.names.map((name, index) => [plainName(name), index]));
    this.scene.traverse((object) => {
      object.frustumCulled = false; // bounding boxes ignore morphs and bones
      if (!(object instanceof Mesh) || !object.morphTargetDictionary) return;
      for (const [name, morph] of Object.entries(object.morphTargetDictionary)) {
        const index = indices.get(plainName(name));
        if (index !== undefined) this.bound.push({ mesh: object, morph, index });
      }
    });
  }

  private bindExpressions(vrm: VRM): void {
    const indices = new Map(this.names.map((name, index) => [plainName(name), index]));
    for (const expression of vrm.expressionManager?.expressions ?? []) {
      const index = indices.get(plainName(expression.expressionName));
      if (index !== undefined) this.expressions.push({ name: expression.expressionName, index });
    }
    // The expression manager controls the morphs of its expressions.
    if (this.expressions.length) this.bound = [];
    else if (!this.bound.length) {
      for (const name of Object.keys(VRM_PRESETS)) {
        if (vrm.expressionManager?.getExpression(name)) this.expressions.push({ name, index: -1 });
      }
    }
  }

  /** Finds the bone or node named head; without one the whole avatar rotates. */
  private findHead(): void {
    let head = this.vrm?.humanoid.getNormalizedBoneNode("head") ?? null;
    if (!this.vrm) this.scene.traverse((object) => {
      if (/(^|[^a-z])head$/i.test(object.name) && !(object instanceof Mesh)) head ??= object;
    });
    this.head = head ?? this.group;
    this.headNeutral.copy(this.head.quaternion);
  }

  /** Scales and moves the avatar to the size and position of a face. */
  private arrange(): void {
    this.scene.updateMatrixWorld(true);
    const { center, height, target } = this.measure();
    const scale = target.height / Math.max(height, 1e-6);
    this.scene.position.sub(center).multiplyScalar(scale).add(target.center);
    this.scene.scale.multiplyScalar(scale);
    this.group.add(this.scene);
  }

  /** The face region in the file and its target: moved by the blendshapes, else the VRM head, else the whole mesh. */
  private measure(): { center: Vector3; height: number; target: { center: Vector3; height: number } } {
    const morphs = [...this.bound, ...this.expressionMorphs()];
    const whole = { center: HEAD_CENTER, height: HEAD_HEIGHT };
    const box = movedRegion(morphs);
    if (this.driven >= MIN_REGION_NAMES && !box.isEmpty()) {
      return { ...extent(box), target: { center: REGION_CENTER, height: REGION_HEIGHT } };
    }
    const bone = this.vrm?.humanoid.getRawBoneNode("head");
    if (bone) {
      const center = bone.getWorldPosition(new Vector3());
      center.y += BONE_TO_CENTER;
      return { center, height: VRM_HEAD_HEIGHT, target: whole };
    }
    box.makeEmpty();
    for (const { mesh } of morphs) box.expandByObject(mesh, true);
    return { ...extent(box), target: whole };
  }

  private expressionMorphs(): Morph[] {
    return this.expressions.flatMap(({ name }) => this.vrm?.expressionManager?.getExpression(name)?.binds ?? [])
      .filter((bind) => bind instanceof VRMExpressionMorphTargetBind)
      .flatMap(({ primitives, index }) => primitives.map((mesh) => ({ mesh, morph: index })));
  }

  /** `values`: 0..1 in the order of the names; `rotation`: of the head; `seconds`: since the last call. */
  drive(values: ArrayLike<number>, rotation: Quaternion, seconds: number): void {
    for (const { mesh, morph, index } of this.bound) mesh.morphTargetInfluences![morph] = values[index];
    const manager = this.vrm?.expressionManager;
    const value = (name: string): number => values[this.names.indexOf(name)] ?? 0;
    for (const { name, index } of this.expressions) manager?.setValue(name, index < 0 ? VRM_PRESETS[name](value) : values[index]);
    this.turn.copy(rotation);
    // VRM 0 files face backwards and have been rotated: their x and z axes are inverted.
    if (this.vrm?.meta.metaVersion === "0") this.turn.set(-rotation.x, rotation.y, -rotation.z, rotation.w);
    this.head.quaternion.copy(this.headNeutral).premultiply(this.turn);
    this.vrm?.update(seconds);
  }

  /** The current weight of a blendshape; NaN if the avatar does not have it. */
  weight(name: string): number {
    const index = this.names.indexOf(name);
    const expression = this.expressions.find((one) => one.index === index);
    if (expression) return this.vrm?.expressionManager?.getValue(expression.name) ?? NaN;
    const binding = this.bound.find((one) => one.index === index);
    return binding ? binding.mesh.morphTargetInfluences![binding.morph] : NaN;
  }

  dispose(): void {
    VRMUtils.deepDispose(this.scene);
  }
}

function extent(box: Box3): { center: Vector3; height: number } {
  return { center: box.getCenter(new Vector3()), height: box.max.y - box.min.y };
}
