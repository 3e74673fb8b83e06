// An avatar: a .glb with ARKit morph target names, or a .vrm. This module is loaded on demand.

import { VRMExpressionMorphTargetBind, VRMUtils, type VRM } from "@pixiv/three-vrm";
import { Group, type Mesh, type Quaternion, type Vector3, type WebGLRenderer } from "three";
import { readAvatar, type AvatarFile } from "./avatar_file";
import { fitToFace } from "./avatar_fit";
import { matchNames, plainName } from "./avatar_names";
import { AvatarPose } from "./avatar_pose";
import { usedPresets, withClosedLids, type Preset, type Values } from "./avatar_presets";
import type { Morph } from "./moved_region";

/** A morph target or a VRM expression, and what drives it: a blendshape, or a preset (index -1). */
interface Binding {
  index: number;
  value: (values: Values) => number;
}
type MorphBinding = Binding & Morph & { shared: boolean };
type ExpressionBinding = Binding & { name: string };

export class Avatar {
  readonly group = new Group();
  private morphs: MorphBinding[] = [];
  private expressions: ExpressionBinding[] = [];
  private presets: Preset[] = [];
  private pose: AvatarPose;

  private constructor(readonly name: string, private file: AvatarFile, private names: string[]) {
    this.bindExpressions();
    this.bindMorphs();
    this.bindPresets();
    const { scene, vrm } = file;
    fitToFace(scene, vrm, [...this.morphs, ...this.expressionMorphs()], this.driven.size);
    this.group.add(scene);
    const looks = [...this.driven].some((blendshape) => blendshape.startsWith("eyeLook"));
    this.pose = new AvatarPose(this.group, scene, vrm, !looks);
  }

  /** Throws Error if the file is not a glTF or VRM file, or has none of the blendshapes. */
  static async load(name: string, data: ArrayBuffer, names: string[], renderer: WebGLRenderer): Promise<Avatar> {
    const file = await readAvatar(name, data, renderer);
    const avatar = new Avatar(name, file, names);
    if (!avatar.morphs.length && !avatar.expressions.length) {
      const found = file.meshes.flatMap((one) => one.names).filter(Boolean);
      const given = found.length ? `its morph targets are ${found.slice(0, 4).join(", ")}${found.length > 4 ? ", …" : ""}` : "it has no named morph targets";
      avatar.dispose();
      throw new Error(`${name} has no morph target with an ARKit name such as jawOpen: ${given}`);
    }
    return avatar;
  }

  private get vrm(): VRM | null {
    return this.file.vrm;
  }

  /** Names of the blendshapes that are bound by name. */
  private get driven(): Set<string> {
    const indices = [...this.morphs, ...this.expressions].map((one) => one.index);
    return new Set(indices.filter((index) => index >= 0).map((index) => this.names[index]));
  }

  /** Description of the bound blendshapes and presets. */
  get summary(): string {
    const presets = this.presets.map((preset) => preset.vrm).join(", ");
    const { size } = this.driven;
    if (!size) return `no ARKit expressions; driven by the presets ${presets}`;
    return `driven by ${size} of ${this.names.length} blendshapes${presets && ` and by the presets ${presets}`}`;
  }

  /** Whether only the head turns; otherwise the whole avatar turns about its face. */
  get hasHead(): boolean {
    return this.pose.hasHead;
  }

  private bindExpressions(): void {
    const found = this.vrm?.expressionManager?.expressions ?? [];
    const [indices] = matchNames([{ owners: [], names: found.map((one) => one.expressionName) }], this.names);
    found.forEach((expression, k) => {
      const index = indices[k];
      if (index >= 0) this.expressions.push({ name: expression.expressionName, ...this.follow(index) });
    });
  }

  private bindMorphs(): void {
    const { meshes } = this.file;
    const groups = meshes.map(({ mesh, names }) => ({ owners: [mesh.name, mesh.parent?.name ?? "", mesh.geometry.name], names }));
    const taken = this.driven;
    matchNames(groups, this.names).forEach((indices, k) => indices.forEach((index, morph) => {
      if (index < 0 || taken.has(this.names[index])) return;
      this.morphs.push({ mesh: meshes[k].mesh, morph, shared: this.isShared(meshes[k].mesh, morph), ...this.follow(index) });
    }));
  }

  /** A VRM expression also moves this morph target, and resets it at each update. */
  private isShared(mesh: Mesh, morph: number): boolean {
    return (this.vrm?.expressionManager?.expressions ?? []).some((expression) => expression.binds.some((bind) => (
      bind instanceof VRMExpressionMorphTargetBind && bind.index === morph && bind.primitives.includes(mesh)
    )));
  }

  private bindPresets(): void {
    const manager = this.vrm?.expressionManager;
    const targets = (preset: Preset): Morph[] => this.file.meshes.flatMap(({ mesh, names }) => names.flatMap((name, morph) => (
      preset.morphs.includes(plainName(name)) ? [{ mesh, morph }] : []
    )));
    const has = (preset: Preset): boolean => (manager ? manager.getExpression(preset.vrm) !== null : targets(preset).length > 0);
    this.presets = usedPresets(has, this.driven);
    for (const { vrm, value, ...preset } of this.presets) {
      if (manager) this.expressions.push({ name: vrm, index: -1, value });
      else for (const morph of targets({ vrm, value, ...preset })) this.morphs.push({ ...morph, index: -1, value, shared: false });
    }
  }

  private follow(index: number): Binding {
    const name = this.names[index];
    return { index, value: (values) => values(name) };
  }

  private expressionMorphs(): Morph[] {
    return this.expressions.flatMap(({ name }) => this.vrm?.expressionManager?.getExpression(name)?.binds ?? [])
      .filter((bind) => bind instanceof VRMExpressionMorphTargetBind)
      .flatMap(({ primitives, index }) => primitives.map((mesh) => ({ mesh, morph: index })));
  }

  /**
   * Moves the avatar.
   *
   * `values`: 0..1 in the order of the names; `place`, `rotation`: of the face; `seconds`: since the last call;
   * `anchored`: the face stays at `place` while the head turns; otherwise the body does.
   */
  drive(values: ArrayLike<number>, place: Vector3, rotation: Quaternion, seconds: number, anchored: boolean): void {
    const value = withClosedLids((name) => values[this.names.indexOf(name)] ?? 0);
    for (const one of this.expressions) this.vrm?.expressionManager?.setValue(one.name, one.value(value));
    this.group.position.copy(place);
    this.pose.apply(rotation, value);
    if (anchored) this.group.position.sub(this.pose.displacement);
    this.vrm?.update(seconds); // resets the morph targets of its expressions: the others are set afterwards
    for (const { mesh, morph, shared, value: of } of this.morphs) {
      const influences = mesh.morphTargetInfluences!;
      influences[morph] = shared ? Math.max(influences[morph], of(value)) : of(value);
    }
  }

  /** The current weight of a blendshape, or of a preset such as "aa"; NaN if the avatar does not have it. */
  weight(name: string): number {
    const index = this.names.indexOf(name);
    const preset = this.presets.find((one) => one.vrm === name);
    const expression = this.expressions.find((one) => (index < 0 ? one.name === name : one.index === index));
    if (expression) return this.vrm?.expressionManager?.getValue(expression.name) ?? NaN;
    const binding = this.morphs.find((one) => (index < 0 ? one.index < 0 && one.value === preset?.value : one.index === index));
    return binding ? binding.mesh.morphTargetInfluences![binding.morph] : NaN;
  }

  dispose(): void {
    VRMUtils.deepDispose(this.file.scene);
  }
}
