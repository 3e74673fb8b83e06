// Recording of takes: the button, the recorded frames, and the files to download.

import type { FaceFrame, StreamFrame } from "./codec";
import { pageSeconds } from "./connection";
import { byId, download, setText, toast } from "./dom";
import type { FaceModel } from "./model";
import type { Page } from "./page";
import { paintSkin } from "./skin";
import { Take } from "./take";

type Kind = "json" | "csv" | "glb" | "livelink" | "bvh";
const KINDS: Record<Kind, { suffix: string; type: string }> = {
  json: { suffix: ".json", type: "application/json" },
  csv: { suffix: ".csv", type: "text/csv" },
  glb: { suffix: ".glb", type: "model/gltf-binary" },
  livelink: { suffix: "_live_link.csv", type: "text/csv" },
  bvh: { suffix: ".bvh", type: "text/plain" },
};

export class Recorder {
  recording = false;
  private take: Take | null = null;

  constructor(private page: Page) {
    byId("record").addEventListener("click", () => this.toggle());
    for (const kind of Object.keys(KINDS) as Kind[]) byId(`save-${kind}`).addEventListener("click", () => void this.save(kind));
  }

  /** Starts a new take, or stops the current one. */
  toggle(): void {
    const { model } = this.page;
    if (!model) return toast("The face model is not loaded yet");
    if (!this.recording) this.take = new Take(model.blendshapeNames, model.name);
    this.recording = !this.recording;
    this.showButtons();
    if (!this.recording && !this.take!.frames.length) toast("Nothing was recorded: no face was in view");
  }

  /** Adds a frame of the current source. */
  add(frame: Pick<StreamFrame, "stamp" | "faces">): void {
    if (!this.recording || !frame.faces.length || this.take!.add(frame)) return;
    this.toggle();
    toast("Recording stopped: the maximum length is reached");
  }

  /** Adds the manual face, which looks straight into the camera. */
  addManual(blendshapes: Float32Array, shape: Float32Array | null): void {
    const face: FaceFrame = {
      id: 1, confidence: 1, position: [0, 0, 0.6], quaternion: [1, 0, 0, 0], roi: [0, 0, 0, 0], metric: false,
      mouthOpen: false, label: "", valence: 0, arousal: 0, blendshapes: blendshapes.slice(), shape, expression: null,
    };
    this.add({ stamp: pageSeconds(), faces: [face] });
  }

  /** Shows the length of the current take. */
  show(): void {
    if (this.recording) setText(byId("recording").querySelector("span")!, clock(this.take!.seconds));
  }

  private showButtons(): void {
    const { recording } = this;
    byId("record").setAttribute("aria-pressed", String(recording));
    setText(byId("record").querySelector("span")!, recording ? "Stop" : "Record");
    byId("recording").hidden = !recording;
    const { frames, seconds } = this.take!;
    byId("take").hidden = recording || !frames.length;
    setText(byId("take-text"), `${frames.length} frames, ${seconds.toFixed(1)} s. Download as`);
  }

  private async save(kind: Kind): Promise<void> {
    const { take, page: { model } } = this;
    if (!take?.frames.length || !model) return;
    const { suffix, type } = KINDS[kind];
    const name = `take-${new Date(take.frames[0].stamp * 1000).toISOString().slice(0, 19).replace(/:/g, "")}${suffix}`;
    try {
      const content = await this.content(kind, take, model);
      download(name, content instanceof Blob ? content : new Blob([content], { type }));
    } catch (error) {
      toast(`The take cannot be saved: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** The file of a take; all formats but JSON and CSV contain one face: the selected one, or the first. */
  private async content(kind: Kind, take: Take, model: FaceModel): Promise<string | Blob> {
    if (kind === "json") return take.json();
    if (kind === "csv") return take.csv();
    const { crowd } = this.page;
    const chosen = take.of(crowd?.selected ?? -1);
    const steps = chosen.length ? chosen : take.of(take.frames[0].faces[0].id);
    if (kind !== "glb") {
      const { liveLinkCsv, takeAsBvh } = await import("./take_motion");
      return kind === "bvh" ? takeAsBvh(steps) : liveLinkCsv(model.blendshapeNames, steps);
    }
    const { takeAsGlb } = await import("./glb");
    return takeAsGlb(model, crowd?.current?.neutral ?? model.mean, steps, paintSkin(model).image);
  }
}

const clock = (seconds: number): string => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
