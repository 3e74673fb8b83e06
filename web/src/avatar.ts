// The user's own avatar, driven by the same values: a .glb with ARKit's morph names, or a .vrm. Loaded when it is wanted.

import { VRMLoaderPlugin, VRMUtils, type VRM } from "@pixiv/three-vrm";
import { Box3, Group, Mesh, Quaternion, TextureLoader, Vector3, type Object3D } from "three";
import { GLTFLoader, type GLTFParser } from "three/examples/jsm/loaders/GLTFLoader.js";

const HEAD_HEIGHT = 0.25; // meters, of the face that the stage is arranged for
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
  private bound: { mesh: Mesh; morph: number; index: number }[] = [];
  private expressions: { name: string; index: number }[] = [];
  private head: Object3D | null = null;
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
    if (!avatar.driven) throw new Error(`${file.name} has no morph target with one of ARKit's names, such as jawOpen`);
    return avatar;
  }

  /** How many of the blendshapes move something. */
  get driven(): number {
    return new Set([...this.bound, ...this.expressions].map((one) => one.index)).size;
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

  private findHead(): void {
    this.head = this.vrm?.humanoid.getNormalizedBoneNode("head") ?? null;
    if (!this.vrm) this.scene.traverse((object) => {
      if (!this.head && /(^|[^a-z])head$/i.test(object.name) && !(object instanceof Mesh)) this.head = object;
    });
    this.head ??= this.scene;
    this.headRest.copy(this.head.quaternion);
  }

  /** As large as a face, the middle of its head where a face's is: what moves is the face. */
  private arrange(): void {
    this.scene.updateMatrixWorld(true);
    const box = new Box3();
    const faces = new Set(this.bound.map((one) => one.mesh));
    for (const mesh of faces) box.expandByObject(mesh, true);
    if (box.isEmpty()) box.setFromObject(this.scene, true);
    const middle = box.getCenter(new Vector3());
    let height = box.max.y - box.min.y;
    const bone = this.vrm?.humanoid.getRawBoneNode("head");
    if (bone) {
      bone.getWorldPosition(middle);
      height = HEAD_HEIGHT * 1.1;
      middle.y += 0.09;
    }
    const scale = HEAD_HEIGHT / Math.max(height, 1e-6);
    this.scene.position.sub(middle).multiplyScalar(scale);
    this.scene.scale.multiplyScalar(scale);
    this.scene.position.add(new Vector3(0, -0.03, -0.03));
    this.group.add(this.scene);
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
    this.head!.quaternion.copy(this.headRest).premultiply(this.turn);
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
