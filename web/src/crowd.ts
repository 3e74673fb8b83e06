// The rendered faces: one per id, removed when the stream no longer contains it. One of them is selected.

import type { Group, Quaternion, Vector3 } from "three";
import type { FaceFrame, StreamFrame } from "./codec";
import { FaceView, type FaceKit, type RenderMode } from "./face_view";

const MAX_FACES = 8; // rendered faces; each has its own morph weights and geometry
const MANUAL = 0; // id of the face moved by the sliders; ids of the stream start at 1
const SMOOTHING = 0.15; // of the frame interval

export class Crowd {
  selected: number | null = null;
  private views = new Map<number, FaceView>();
  private mode: RenderMode = "mesh";
  private overPicture = false;
  private interval = 1 / 30;
  private lastStamp = 0;
  private lastShape: Float32Array | null = null;

  constructor(private kit: FaceKit, private root: Group) {}

  get current(): FaceView | null {
    return this.selected === null ? null : this.views.get(this.selected) ?? null;
  }

  get all(): Iterable<FaceView> {
    return this.views.values();
  }

  get ids(): number[] {
    return [...this.views.keys()];
  }

  setRenderMode(mode: RenderMode): void {
    this.mode = mode;
    for (const view of this.views.values()) view.setRenderMode(mode);
  }

  /** Whether the faces are drawn over the picture of the camera. */
  setOverPicture(overPicture: boolean): void {
    if (overPicture === this.overPicture) return;
    this.overPicture = overPicture;
    for (const view of this.views.values()) view.setOverPicture(overPicture);
  }

  /** Updates the faces from a frame and removes all others. */
  follow(frame: StreamFrame): void {
    const passed = frame.stamp - this.lastStamp;
    if (passed > 0 && passed < 1) this.interval += SMOOTHING * (passed - this.interval);
    this.lastStamp = frame.stamp;
    const faces = frame.faces.slice(0, MAX_FACES);
    this.keep(faces.map((face) => face.id));
    for (const face of faces) this.view(face.id).follow(face, this.interval);
    if (this.selected === null || !this.views.has(this.selected)) this.selected = largest(faces);
  }

  /** Shows a single face that looks at the viewer and has the person's shape: manual, or neutral. */
  showSingle(weights: ArrayLike<number>): void {
    const shape = this.current?.currentShape ?? this.lastShape;
    this.keep([MANUAL]);
    const view = this.view(MANUAL);
    if (shape && !view.currentShape) view.setShape(shape);
    view.setNeutralPose();
    view.setWeights(weights);
    this.selected = MANUAL;
  }

  next(): void {
    const ids = [...this.views.keys()].sort((a, b) => a - b);
    if (ids.length) this.selected = ids[(ids.indexOf(this.selected ?? -1) + 1) % ids.length];
  }

  advance(seconds: number): void {
    for (const view of this.views.values()) view.advance(seconds);
  }

  /** Position of the selected head, in three.js axes. */
  get center(): Vector3 | null {
    return this.current?.group.position ?? null;
  }

  get rotation(): Quaternion | null {
    return this.current?.group.quaternion ?? null;
  }

  /** Hides the selected face, which is replaced by an avatar. */
  hideSelected(hidden: boolean): void {
    for (const [id, view] of this.views) view.group.visible = !(hidden && id === this.selected);
  }

  find(id: number): FaceView | undefined {
    return this.views.get(id);
  }

  private view(id: number): FaceView {
    let view = this.views.get(id);
    if (!view) {
      this.views.set(id, (view = new FaceView(this.kit)));
      view.setRenderMode(this.mode);
      view.setOverPicture(this.overPicture);
      this.root.add(view.group);
    }
    return view;
  }

  private keep(ids: number[]): void {
    for (const [id, view] of this.views) {
      if (ids.includes(id)) continue;
      this.lastShape = view.currentShape ?? this.lastShape;
      this.root.remove(view.group);
      view.dispose();
      this.views.delete(id);
    }
  }

  dispose(): void {
    this.keep([]);
    this.selected = null;
    this.kit.paint.dispose();
  }
}

function largest(faces: FaceFrame[]): number | null {
  if (!faces.length) return null;
  return faces.reduce((a, b) => (b.roi[2] * b.roi[3] > a.roi[2] * a.roi[3] ? b : a)).id;
}
