// One rendered face: follows the latest values smoothly; drawn as mesh, wireframe, landmarks or camera texture.

import {
  Color, Group, LineBasicMaterial, LineSegments, Mesh, MeshBasicMaterial, Points, PointsMaterial,
  Quaternion, Vector3, type BufferGeometry, type DataTexture, type Material, type Texture,
} from "three";
import { ActiveMorphs } from "./active_morphs";
import type { FaceFrame } from "./codec";
import { INNER_LIP } from "./contours";
import { CpuMorphs, sparse, type SparseMorphs } from "./cpu_morphs";
import type { FaceModel } from "./model";
import { headPosition, headRotation } from "./pose";
import { applyIdentity, faceGeometry, landmarkGeometries, lipDistance, makeMorphs, type Morphs } from "./shape";
import { hairTexture } from "./hair";
import { addSurface, paintSkin } from "./skin";
import { fading, Skin, type SkinUniforms } from "./skin_material";

export type RenderMode = "mesh" | "wireframe" | "landmarks" | "texture";

/** The model and the resources shared by all its faces. */
export interface FaceKit {
  model: FaceModel;
  morphs: Morphs;
  paint: Texture;
  /** Fade-out of the bust: model y in meters, from and to. */
  fade: [number, number];
  /** For pages that are drawn without a GPU; otherwise null. */
  software: SoftwareKit | null;
}

interface SoftwareKit {
  hair: DataTexture;
  position: SparseMorphs;
  normal: SparseMorphs;
  landmarks: SparseMorphs;
}

export function makeKit(model: FaceModel, software: boolean): FaceKit {
  let bottom = Infinity;
  for (let i = 1; i < model.mean.length; i += 3) bottom = Math.min(bottom, model.mean[i]);
  // A head with a neck fades out above the collar; a mask such as the Basel model does not fade.
  const fade: [number, number] = bottom < -0.18 ? [bottom + 0.004, bottom + 0.055] : [bottom - 2, bottom - 1];
  const morphs = makeMorphs(model);
  return { model, morphs, paint: paintSkin(model, software), fade, software: software ? softwareKit(morphs) : null };
}

function softwareKit({ position, normal, landmarks }: Morphs): SoftwareKit {
  return { hair: hairTexture(), position: sparse(position), normal: sparse(normal), landmarks: sparse(landmarks) };
}

// Time constant of the smoothing in seconds: a third of the frame interval hides the steps between frames and adds less
// than one frame of delay. It does not overshoot.
const LAG_RATIO = 0.35, MIN_LAG = 0.006, MAX_LAG = 0.03;
const SHAPE_CHANGE = 0.02; // standard deviations; smaller changes do not update the geometry
const ACCENT = new Color("#ff8a65");
// The model's shape hardly narrows the mouth; it is exaggerated where it does not cover a picture.
const GAINS: Record<string, number> = { mouthPucker: 1.5 };
const CAMERA_FADE: [number, number] = [-0.165, -0.135]; // meters: over the picture the neck is that of the picture

export class FaceView {
  readonly group = new Group();
  readonly weights: Float32Array;
  readonly uniforms: SkinUniforms;
  lag = 0.012;
  private target: Float32Array;
  private position = new Vector3();
  private rotation = new Quaternion();
  private placed = false;
  private shape: Float32Array | null = null;
  private vertices: Float32Array;
  private active: ActiveMorphs | CpuMorphs;
  private gains: Float32Array;
  private drawn: Float32Array;
  private mode: RenderMode = "mesh";
  private overPicture = false;
  private skin: Skin;
  private mesh: Mesh<BufferGeometry, Material[]>;
  private wires: Mesh<BufferGeometry, Material>;
  private points: Points<BufferGeometry, Material>;
  private lines: LineSegments<BufferGeometry, Material>;

  constructor(private kit: FaceKit) {
    const { model, morphs } = kit;
    const geometry = faceGeometry(model, morphs);
    addSurface(geometry, model);
    this.skin = new Skin(kit.paint, kit.fade, kit.software?.hair ?? null);
    this.uniforms = this.skin.uniforms;
    this.mesh = new Mesh(geometry, this.skin.materials);
    this.wires = new Mesh(geometry, fading(new MeshBasicMaterial({
      wireframe: true, color: ACCENT, transparent: true, opacity: 0.38, depthWrite: false,
    }), this.uniforms.fade));
    const marks = landmarkGeometries(model, morphs);
    const onTop = { color: ACCENT, depthTest: false, transparent: true };
    this.points = new Points(marks.points, new PointsMaterial({ ...onTop, size: 2.6, sizeAttenuation: false }));
    this.lines = new LineSegments(marks.lines, new LineBasicMaterial({ ...onTop, opacity: 0.65 }));
    this.vertices = model.mean.slice();
    this.weights = new Float32Array(model.expression.count);
    this.target = new Float32Array(model.expression.count);
    this.drawn = new Float32Array(model.expression.count);
    this.gains = new Float32Array(model.expression.count).fill(1);
    if (model.blendshapesAreExpression) model.blendshapeNames.forEach((name, k) => (this.gains[k] = GAINS[name] ?? 1));
    this.active = this.makeActive();
    for (const part of this.parts) {
      part.frustumCulled = false; // bounding boxes ignore morphs
      this.group.add(part);
    }
    this.setRenderMode("mesh");
  }

  private makeActive(): ActiveMorphs | CpuMorphs {
    const { kit: { software, model }, parts, mesh, points, lines } = this;
    if (!software) {
      const active = new ActiveMorphs(model.expression.count);
      for (const material of parts.flatMap((part) => part.material)) active.use(material);
      return active;
    }
    for (const part of parts) part.geometry.morphAttributes = {};
    const { position, normal, landmarks } = software;
    return new CpuMorphs([
      [mesh.geometry, { position, normal }], [points.geometry, { position: landmarks }], [lines.geometry, { position: landmarks }],
    ]);
  }

  private get parts(): (Mesh<BufferGeometry, Material | Material[]> | Points<BufferGeometry, Material> | LineSegments<BufferGeometry, Material>)[] {
    return [this.mesh, this.wires, this.points, this.lines];
  }

  setRenderMode(mode: RenderMode): void {
    this.mode = mode;
    const { skin, uniforms, overPicture, kit } = this;
    const wireframe = mode === "wireframe";
    this.mesh.visible = true;
    this.wires.visible = wireframe;
    this.points.visible = this.lines.visible = mode === "landmarks" || !kit.model.triangles.length;
    (this.wires.material as MeshBasicMaterial).opacity = overPicture ? 0.16 : 0.38;
    skin.show({
      opacity: wireframe ? 0.22 : 1,
      visible: !(overPicture && (wireframe || mode === "landmarks")),
      behindLines: wireframe,
      picture: mode === "texture",
    });
    uniforms.dim.value = mode === "landmarks" && !overPicture ? 0.5 : 1;
    uniforms.fade.value = overPicture && kit.fade[0] < CAMERA_FADE[0] && kit.fade[0] > -1 ? CAMERA_FADE : kit.fade;
  }

  /** Whether the face is drawn over the picture of the camera. */
  setOverPicture(overPicture: boolean): void {
    this.overPicture = overPicture;
    this.setRenderMode(this.mode);
  }

  /** Sets the target values of the face; `interval`: seconds between two frames. */
  follow(face: FaceFrame, interval: number): void {
    this.lag = Math.min(MAX_LAG, Math.max(MIN_LAG, LAG_RATIO * interval));
    this.setWeights(this.kit.model.blendshapesAreExpression ? face.blendshapes : face.expression ?? []);
    headPosition(face, this.position);
    headRotation(face, this.rotation);
    if (face.shape) this.setShape(face.shape);
    if (!this.placed) this.jump();
  }

  /** Moves the face in front of the viewer, looking straight ahead. */
  setNeutralPose(): void {
    this.position.set(0, 0, -0.6);
    this.rotation.identity();
    this.lag = 0.06;
    if (!this.placed) this.jump();
  }

  setWeights(values: ArrayLike<number>): void {
    for (let k = 0; k < this.target.length; k++) this.target[k] = values[k] ?? 0;
  }

  setShape(shape: Float32Array | null): void {
    const old = this.shape;
    const changed = !shape || !old || shape.some((value, k) => Math.abs(value - (old[k] ?? 0)) > SHAPE_CHANGE);
    if (!changed || shape === old) return;
    this.shape = shape;
    this.vertices = applyIdentity(this.kit.model, shape, this.mesh.geometry, [this.points.geometry, this.lines.geometry]);
    if (this.active instanceof CpuMorphs) this.active.rebase();
  }

  get currentShape(): Float32Array | null {
    return this.shape;
  }

  private jump(): void {
    this.placed = true;
    this.weights.set(this.target);
    this.group.position.copy(this.position);
    this.group.quaternion.copy(this.rotation);
  }

  /** Advances the smoothing by `seconds`. */
  advance(seconds: number): void {
    const step = 1 - Math.exp(-seconds / this.lag);
    for (let k = 0; k < this.weights.length; k++) {
      const left = this.target[k] - this.weights[k];
      this.weights[k] = Math.abs(left) < 1e-4 ? this.target[k] : this.weights[k] + step * left;
    }
    for (let k = 0; k < this.weights.length; k++) this.drawn[k] = this.weights[k] * (this.overPicture ? 1 : this.gains[k]);
    this.active.set(this.drawn);
    this.group.position.lerp(this.position, step);
    this.group.quaternion.slerp(this.rotation, step);
  }

  /** Distance between the inner lips of the rendered face, meters. */
  mouthOpening(): number {
    return lipDistance(this.kit.model, this.kit.morphs, this.vertices, this.weights, INNER_LIP.upper, INNER_LIP.lower);
  }

  /** The neutral vertices of this person, (V * 3) meters. */
  get neutral(): Float32Array {
    return this.vertices;
  }

  dispose(): void {
    for (const part of this.parts) {
      part.geometry.dispose();
      for (const material of [part.material].flat()) material.dispose();
    }
  }
}
