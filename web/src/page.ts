// The page: takes what the sources say, draws a frame, shows the numbers. Buttons and keys are in controls.ts.

import { Quaternion, Vector3 } from "three";
import { LEAST_WEIGHT, LEAST_WEIGHT_IN_SOFTWARE } from "./active_morphs";
import type { Avatar } from "./avatar";
import type { StreamFrame } from "./codec";
import { FaceStream, LastingSocket, pageSeconds, type ConnectionState, type Hello } from "./connection";
import { Crowd } from "./crowd";
import { byId, make, setText, toast } from "./dom";
import { makeKit, type Look } from "./face_view";
import { Rate, Recent } from "./meters";
import { fetchModel, Unauthorized, type FaceModel } from "./model";
import { PictureView } from "./picture";
import { drawAffect, History } from "./plots";
import { headPosition, headRotation } from "./pose";
import { ShapesPanel } from "./shapes_panel";
import { lensOf, projectPicture, Stage } from "./stage";
import { Take } from "./take";

export type Source = "stream" | "webcam" | "manual";
export type PageState = ConnectionState | "unauthorized";

const PANEL_EVERY = 1 / 20; // seconds between two updates of bars and numbers
const REMEMBERED = 90; // frames among which the one of a picture is looked for
const SILENCE = 1.5; // seconds without a frame after which the face rests
const LIVE_STAMPS = 10; // seconds: an older stamp is that of a recording, and tells no latency
const MODEL_RETRY = 2000; // milliseconds until a model that did not come is asked for again
const ORIGIN = new Vector3();

export class Page {
  readonly stage = new Stage(byId<HTMLCanvasElement>("canvas"));
  readonly picture = new PictureView();
  readonly latency = new Recent();
  readonly script = new Recent();
  state: PageState = "connecting";
  source: Source = "stream";
  frames = 0;
  drawn = 0;
  lastFrame: StreamFrame | null = null;
  manual = new Float32Array(0);
  model: FaceModel | null = null;
  crowd: Crowd | null = null;
  take: Take | null = null;
  recording = false;
  mirrored = false;
  onTokenWanted: () => void = () => {};
  onRecordingFull: () => void = () => {};
  private avatar: Avatar | null = null;
  private look: Look = "mesh";
  private stream: FaceStream;
  private cameraSocket: LastingSocket | null = null;
  private panel: ShapesPanel | null = null;
  private history = new History();
  private received: StreamFrame[] = [];
  private drawnRate = new Rate();
  private streamRate = new Rate();
  private undrawn: StreamFrame | null = null;
  private lastFrameAt = -Infinity;
  private lastTime = performance.now();
  private lastPanel = 0;
  private loading = false;
  private wanted = ""; // sha256 of the model that the last hello named

  constructor(public token: string, private onSlide: (index: number, value: number) => void) {
    this.stream = new FaceStream(() => this.token, {
      hello: (hello) => this.greet(hello),
      frame: (frame) => this.source === "stream" && this.receive(frame),
      state: (state) => this.connected(state),
    });
    void this.loadModel();
    requestAnimationFrame((time) => this.draw(time));
  }

  private connected(state: ConnectionState): void {
    if (this.state === "unauthorized" && state !== "open") return;
    this.state = state;
    if (state !== "open") return;
    if (!this.model) void this.loadModel();
    this.cameraSocket?.restart(); // where the stream was lost without a word, the picture was too
  }

  private greet(hello: Hello): void {
    this.wanted = hello.model_sha256;
    if (this.wanted !== this.model?.sha256) void this.loadModel();
    if (hello.camera && !this.cameraSocket) {
      this.cameraSocket = new LastingSocket("ws/camera", () => this.token, (data) => {
        if (typeof data !== "string" && this.source !== "webcam") void this.picture.receive(data);
      });
    }
  }

  setToken(token: string): void {
    this.token = token;
    this.state = "connecting";
    void this.loadModel();
    this.stream.retry();
    this.cameraSocket?.retry();
  }

  private async loadModel(): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    try {
      const model = await fetchModel(this.token);
      if (model.sha256 !== this.model?.sha256) this.useModel(model);
    } catch (error) {
      // Without a server the stream comes back by itself, and asks for the model then.
      if (!(error instanceof Unauthorized)) return;
      this.state = "unauthorized";
      this.onTokenWanted();
    } finally {
      this.loading = false;
      // Another one was announced meanwhile, or this one was refused for now.
      if (this.state === "open" && this.wanted !== this.model?.sha256) window.setTimeout(() => this.loadWanted(), MODEL_RETRY);
    }
  }

  private loadWanted(): void {
    if (this.state === "open" && this.wanted !== this.model?.sha256) void this.loadModel();
  }

  private useModel(model: FaceModel): void {
    this.crowd?.dispose();
    this.model = model;
    const least = this.stage.software ? LEAST_WEIGHT_IN_SOFTWARE : LEAST_WEIGHT;
    this.crowd = new Crowd(makeKit(model, least), this.stage.root);
    this.crowd.setLook(this.look);
    this.manual = new Float32Array(model.blendshapeNames.length);
    this.panel = new ShapesPanel(model.blendshapeNames, this.onSlide, () => this.showLegend());
    this.showLegend();
    this.rest();
  }

  private showLegend(): void {
    if (this.panel && this.model) this.history.legend(this.model.blendshapeNames, this.panel.selected);
  }

  /** A frame of the current source. */
  receive(frame: StreamFrame): void {
    this.frames++;
    this.lastFrame = this.undrawn = frame;
    this.lastFrameAt = performance.now() / 1000;
    this.received.push(frame);
    if (this.received.length > REMEMBERED) this.received.shift();
    this.streamRate.tick(this.lastFrameAt);
    if (frame.width) this.stage.setLens(lensOf(frame));
    if (frame.faces.length && this.source !== "manual") this.crowd?.follow(frame);
    else this.rest();
    if (this.recording && this.source !== "manual" && frame.faces.length) this.record(frame);
    const face = this.selectedFace;
    if (face) this.history.add(this.lastFrameAt, face.blendshapes);
  }

  private record(frame: Pick<StreamFrame, "stamp" | "faces">): void {
    if (!this.take?.add(frame)) this.onRecordingFull();
  }

  private rest(): void {
    this.crowd?.alone(this.source === "manual" ? this.manual : new Float32Array(this.manual.length));
  }

  get selectedFace(): StreamFrame["faces"][number] | null {
    return this.lastFrame?.faces.find((face) => face.id === this.crowd?.selected) ?? null;
  }

  setSource(source: Source): void {
    this.source = source;
    if (source === "manual") this.manual.set(this.selectedFace?.blendshapes.subarray(0, this.manual.length) ?? this.manual);
    else this.lastFrame = null;
    if (source === "stream") this.picture.clear();
    this.received = [];
    this.latency.clear();
    document.body.classList.toggle("manual", source === "manual");
    this.rest();
  }

  setManual(index: number, value: number): void {
    this.manual[index] = Math.min(1, Math.max(0, value));
    this.rest();
  }

  setLook(look: Look): void {
    this.look = look;
    this.crowd?.setLook(look);
  }

  setMirrored(mirrored: boolean): void {
    this.mirrored = mirrored;
    this.stage.setMirrored(mirrored);
  }

  setAvatar(avatar: Avatar | null): void {
    if (this.avatar) {
      this.stage.root.remove(this.avatar.group);
      this.avatar.dispose();
    }
    this.avatar = avatar;
    if (avatar) this.stage.root.add(avatar.group);
  }

  get currentAvatar(): Avatar | null {
    return this.avatar;
  }

  /** The values that the selected face is drawn with, by the model's blendshapes. */
  get shown(): ArrayLike<number> {
    if (this.source === "manual") return this.manual;
    return this.selectedFace?.blendshapes ?? new Float32Array(this.manual.length);
  }

  private draw(time: number): void {
    requestAnimationFrame((next) => this.draw(next));
    const begun = performance.now();
    const seconds = Math.min(0.25, Math.max(0, (time - this.lastTime) / 1000));
    this.lastTime = time;
    const now = begun / 1000;
    if (this.source !== "manual" && now - this.lastFrameAt > SILENCE) this.fallSilent();
    if (this.recording && this.source === "manual") this.recordManual();
    this.stage.watchPace(seconds);
    this.crowd?.advance(seconds);
    this.layPicture();
    this.driveAvatar(seconds);
    this.stage.render(this.crowd?.center ?? ORIGIN);
    this.drawn++;
    this.drawnRate.tick(now);
    this.measureLatency();
    if (now - this.lastPanel >= PANEL_EVERY) {
      this.lastPanel = now;
      this.showNumbers(now);
    }
    this.script.add(performance.now() - begun);
  }

  private fallSilent(): void {
    if (!this.lastFrame) return;
    this.lastFrame = null;
    this.latency.clear();
    this.rest();
  }

  private recordManual(): void {
    const turned: [number, number, number, number] = [1, 0, 0, 0]; // frontal: diag(1, -1, -1)
    const face = {
      id: 1, confidence: 1, position: [0, 0, 0.6] as [number, number, number], quaternion: turned,
      roi: [0, 0, 0, 0] as [number, number, number, number], metric: false, mouthOpen: false, label: "", valence: 0,
      arousal: 0, blendshapes: this.manual.slice(), shape: this.crowd?.current?.currentShape ?? null, expression: null,
    };
    this.record({ stamp: pageSeconds(), faces: [face] });
  }

  /** The picture goes onto the faces as they stood in the frame nearest to its stamp. */
  private layPicture(): void {
    const texture = this.picture.texture;
    this.stage.setPicture(texture);
    if (!this.crowd || !texture || this.look !== "texture" || !this.received.length) {
      for (const view of this.crowd?.all ?? []) if (!texture) view.uniforms.picture.value = null;
      return;
    }
    const distance = (frame: StreamFrame): number => Math.abs(frame.stamp - this.picture.stamp);
    const frame = this.received.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    for (const face of frame.faces) {
      if (this.source === "manual") break;
      projectPicture(this.crowd.view(face.id), texture, lensOf(frame), headPosition(face), headRotation(face));
    }
  }

  private driveAvatar(seconds: number): void {
    const { crowd, avatar } = this;
    crowd?.hideSelected(avatar !== null);
    if (!crowd?.current || !avatar) return;
    avatar.group.position.copy(crowd.current.group.position);
    const weights = this.model!.blendshapesAreExpression ? crowd.current.weights : this.shown;
    avatar.drive(weights, crowd.rotation ?? new Quaternion(), seconds);
  }

  private measureLatency(): void {
    const frame = this.undrawn;
    this.undrawn = null;
    const now = this.source === "webcam" ? pageSeconds() : this.stream.serverSeconds;
    if (!frame || now === null || Math.abs(now - frame.stamp) > LIVE_STAMPS) return;
    this.latency.add((now - frame.stamp) * 1000);
  }

  private showNumbers(now: number): void {
    const face = this.source === "manual" ? null : this.selectedFace;
    this.panel?.show(this.shown);
    if (this.source === "manual") this.history.add(now, this.manual);
    if (this.panel) this.history.draw(now, this.panel.selected);
    drawAffect(face);
    setText(byId("label"), face?.label || "–");
    setText(byId("valence"), face ? face.valence.toFixed(2) : "–");
    setText(byId("arousal"), face ? face.arousal.toFixed(2) : "–");
    byId("mouth").dataset.open = String(face?.mouthOpen ?? false);
    setText(byId("mouth"), face?.mouthOpen ? "Mouth open" : "Mouth closed");
    setText(byId("fps"), this.drawnRate.at(now).toFixed(0));
    setText(byId("rate"), this.source === "manual" ? "–" : this.streamRate.at(now).toFixed(0));
    setText(byId("latency"), Number.isFinite(this.latency.median) ? `${this.latency.median.toFixed(0)} ms` : "–");
    this.picture.draw(this.source === "manual" ? null : this.lastFrame, this.crowd?.selected ?? null, this.mirrored);
    this.showState();
    this.showFaces();
  }

  private showState(): void {
    const texts: Record<PageState, string> = {
      connecting: "Connecting", open: "Connected", closed: "Reconnecting", unauthorized: "Token wanted",
    };
    const pill = byId("connection");
    if (pill.dataset.state !== this.state) pill.dataset.state = this.state;
    setText(pill.querySelector("span")!, texts[this.state]);
    const hints: Record<Source, string> = {
      stream: this.state === "open" ? "No face in view" : "Waiting for the server",
      webcam: "No face in view of your camera",
      manual: "",
    };
    const hint = byId("hint");
    const text = this.lastFrame?.faces.length && this.source !== "manual" ? "" : hints[this.source];
    hint.hidden = !text;
    setText(hint, text);
    if (this.recording) setText(byId("recording").querySelector("span")!, clock(this.take?.seconds ?? 0));
  }

  private showFaces(): void {
    const ids = this.source === "manual" ? [] : (this.lastFrame?.faces ?? []).map((face) => face.id);
    const place = byId("faces");
    const state = `${ids.join()}|${this.crowd?.selected}`;
    if (place.dataset.state === state) return;
    place.dataset.state = state;
    place.replaceChildren(...(ids.length < 2 ? [] : ids).map((id) => {
      const chip = make("button", { type: "button", className: "small" }, `Face ${id}`);
      chip.setAttribute("aria-pressed", String(id === this.crowd?.selected));
      chip.addEventListener("click", () => this.crowd && (this.crowd.selected = id));
      return chip;
    }));
  }

  warn(text: string): void {
    toast(text);
  }
}

const clock = (seconds: number): string => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
