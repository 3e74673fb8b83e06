// The page: receives frames from the sources and renders them. Everything around the face is in readouts.ts.

import { Vector3 } from "three";
import type { Avatar } from "./avatar";
import { VERSION, type FaceFrame, type StreamFrame } from "./codec";
import { FaceStream, ReconnectingSocket, pageSeconds, type ConnectionState, type Hello } from "./connection";
import { Crowd } from "./crowd";
import { byId, toast } from "./dom";
import { makeKit, type RenderMode } from "./face_view";
import { DrawLatency } from "./draw_latency";
import { Recent } from "./meters";
import type { FaceModel } from "./model";
import { ModelLoader } from "./model_loader";
import { PictureView } from "./picture";
import { headPosition, headRotation } from "./pose";
import { Readouts } from "./readouts";
import { Recorder } from "./recorder";
import { lensOf, projectPicture, Stage } from "./stage";
import { keepToken } from "./token";

export type Source = "stream" | "webcam" | "manual";
export type PageState = ConnectionState | "unauthorized";

const HISTORY = 90; // frames, to find the one that belongs to a picture
const FRAME_TIMEOUT = 1.5; // seconds without a frame after which the face is neutral
const SOFTWARE_FRAME = 22; // milliseconds: without a GPU every second frame of a 60 Hz screen is drawn, or each slower one
const SOFTWARE_PICTURE = 95; // milliseconds between two pictures of the camera
const TONE_INTERVAL = 0.5; // seconds between two measurements of the skin color in the picture
const SETTLING = 3; // seconds after a model was loaded during which no latency is measured
const ORIGIN = new Vector3();

export class Page {
  readonly stage = new Stage(byId<HTMLCanvasElement>("canvas"));
  readonly picture = new PictureView(this.stage.software ? SOFTWARE_PICTURE : 0);
  readonly recorder = new Recorder(this);
  /** Milliseconds from the image stamp until the face is drawn, and of script per rendered frame. */
  readonly latency = new DrawLatency(this.stage.renderer.getContext() as WebGL2RenderingContext);
  readonly script = new Recent();
  /** Id of this browser's camera at the server. */
  readonly client = [...crypto.getRandomValues(new Uint8Array(12))].map((value) => value.toString(16).padStart(2, "0")).join("");
  /** Resolves when the first face model is loaded. */
  readonly modelLoaded: Promise<FaceModel>;
  state: PageState = "connecting";
  source: Source = "stream";
  /** Number of received and of rendered frames. */
  frames = 0;
  drawn = 0;
  lastFrame: StreamFrame | null = null;
  /** Slider values, in the order of the model's blendshapes. */
  manual = new Float32Array(0);
  model: FaceModel | null = null;
  crowd: Crowd | null = null;
  avatar: Avatar | null = null;
  mirrored = false;
  onTokenRequired: () => void = () => {};
  private mode: RenderMode = "mesh";
  private resolveModel: (model: FaceModel) => void = () => {};
  private toneAt = -Infinity;
  private stream: FaceStream;
  private loader: ModelLoader;
  private readouts: Readouts;
  private cameraSocket: ReconnectingSocket | null = null;
  private received: StreamFrame[] = [];
  private unrendered: StreamFrame | null = null;
  private lastFrameAt = -Infinity;
  private lastTime = performance.now();
  private settledAt = Infinity; // seconds

  constructor(public token: string, onSlide: (index: number, value: number) => void) {
    this.modelLoaded = new Promise((resolve) => (this.resolveModel = resolve));
    this.readouts = new Readouts(this, onSlide);
    this.loader = new ModelLoader(() => this.token, {
      loaded: (model) => this.useModel(model),
      unauthorized: () => this.requireToken(),
      reachable: () => this.state === "open",
    });
    this.stream = new FaceStream(() => this.token, {
      hello: (hello) => this.receiveHello(hello),
      frame: (frame) => this.source === "stream" && this.receive(frame),
      state: (state) => this.connected(state),
    });
    void this.loader.load();
    requestAnimationFrame((time) => this.draw(time));
  }

  private connected(state: ConnectionState): void {
    if (this.state === "unauthorized" && state !== "open") return;
    this.state = state;
    if (state === "closed" && this.source !== "webcam") this.picture.clear(); // an old picture would seem live
    if (state !== "open") return;
    if (!this.model) void this.loader.load();
    this.cameraSocket?.restart(); // if the stream was lost without a close frame, so was this socket
  }

  private receiveHello(hello: Hello): void {
    if (hello.version !== VERSION) toast("The server was updated: reload the page");
    this.loader.announce(hello.model_sha256);
    if (hello.camera && !this.cameraSocket) {
      this.cameraSocket = new ReconnectingSocket("ws/camera", () => this.token, (data) => {
        if (typeof data !== "string" && this.source !== "webcam") void this.picture.receive(data);
      });
    }
  }

  private requireToken(): void {
    this.state = "unauthorized";
    this.onTokenRequired();
  }

  setToken(token: string): void {
    keepToken(token);
    this.token = token;
    this.state = "connecting";
    void this.loader.load();
    this.stream.retry();
    this.cameraSocket?.retry();
  }

  private useModel(model: FaceModel): void {
    this.crowd?.dispose();
    this.model = model;
    this.crowd = new Crowd(makeKit(model, this.stage.software), this.stage.root);
    this.crowd.setRenderMode(this.mode);
    this.manual = new Float32Array(model.blendshapeNames.length);
    this.readouts.useModel(model);
    this.settledAt = performance.now() / 1000 + SETTLING;
    this.showNeutral();
    this.resolveModel(model);
  }

  /** A frame of the current source. */
  receive(frame: StreamFrame): void {
    this.frames++;
    this.lastFrame = this.unrendered = frame;
    this.lastFrameAt = performance.now() / 1000;
    this.received.push(frame);
    if (this.received.length > HISTORY) this.received.shift();
    if (frame.width) this.stage.setLens(lensOf(frame));
    if (frame.faces.length) this.crowd?.follow(frame);
    else this.showNeutral();
    this.recorder.add(frame);
    this.readouts.receive(this.lastFrameAt, this.selectedFace?.blendshapes);
  }

  private showNeutral(): void {
    const manual = this.source === "manual" && this.model?.blendshapesAreExpression;
    this.crowd?.showSingle(manual ? this.manual : new Float32Array(this.manual.length));
  }

  get selectedFace(): FaceFrame | null {
    return this.lastFrame?.faces.find((face) => face.id === this.crowd?.selected) ?? null;
  }

  setSource(source: Source): void {
    this.source = source;
    if (source === "manual") this.manual.set(this.selectedFace?.blendshapes.subarray(0, this.manual.length) ?? this.manual);
    else this.lastFrame = null;
    this.picture.clear(); // it belongs to another source
    this.received = [];
    this.unrendered = null;
    this.latency.clear();
    document.body.classList.toggle("manual", source === "manual");
    if (source === "manual" && this.model && !this.model.blendshapesAreExpression) {
      toast(`The face model ${this.model.name} has no ARKit blendshapes: the sliders only drive avatars`);
    }
    this.showNeutral();
  }

  setManual(index: number, value: number): void {
    this.manual[index] = Math.min(1, Math.max(0, value));
    this.showNeutral();
  }

  setRenderMode(mode: RenderMode): void {
    this.mode = mode;
    this.crowd?.setRenderMode(mode);
  }

  setMirrored(mirrored: boolean): void {
    this.mirrored = mirrored;
    this.stage.setMirrored(mirrored);
    byId("mirror").setAttribute("aria-pressed", String(mirrored));
  }

  setAvatar(avatar: Avatar | null): void {
    if (this.avatar) {
      this.stage.root.remove(this.avatar.group);
      this.avatar.dispose();
    }
    this.avatar = avatar;
    if (avatar) this.stage.root.add(avatar.group);
  }

  /** Values of the selected face, in the order of the model's blendshapes. */
  get shown(): ArrayLike<number> {
    if (this.source === "manual") return this.manual;
    return this.selectedFace?.blendshapes ?? new Float32Array(this.manual.length);
  }

  private draw(time: number): void {
    requestAnimationFrame((next) => this.draw(next));
    if (this.stage.software && time - this.lastTime < SOFTWARE_FRAME) return;
    const begun = performance.now();
    const seconds = Math.min(0.25, Math.max(0, (time - this.lastTime) / 1000));
    this.lastTime = time;
    const now = begun / 1000;
    if (this.source !== "manual" && now - this.lastFrameAt > FRAME_TIMEOUT) this.handleTimeout();
    if (this.source === "manual" && this.recorder.recording) {
      this.recorder.addManual(this.manual, this.crowd?.current?.currentShape ?? null);
    }
    this.latency.poll();
    this.stage.adaptResolution(seconds);
    this.crowd?.setOverPicture(this.stage.asCamera);
    this.crowd?.advance(seconds);
    this.projectPicture(now);
    this.driveAvatar(seconds);
    const { rotation, center } = this.crowd ?? {};
    this.stage.render(center ?? ORIGIN, this.avatar?.hasHead ? null : rotation ?? null);
    this.drawn++;
    if (now > this.settledAt) this.measureLatency();
    this.readouts.draw(now);
    this.script.add(performance.now() - begun);
  }

  private handleTimeout(): void {
    if (!this.lastFrame) return;
    this.lastFrame = null;
    this.latency.clear();
    this.showNeutral();
  }

  /** Projects the picture onto the faces with their poses in the frame nearest to its stamp. */
  private projectPicture(now: number): void {
    const { crowd, picture: { texture, stamp } } = this;
    this.stage.setPicture(texture);
    for (const view of crowd?.all ?? []) if (!texture) view.uniforms.picture.value = null;
    if (!crowd || !texture || this.mode !== "texture" || this.source === "manual" || !this.received.length) return;
    const distance = (frame: StreamFrame): number => Math.abs(frame.stamp - stamp);
    const frame = this.received.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    for (const face of frame.faces) {
      const view = crowd.find(face.id); // it may have been removed since
      if (!view) continue;
      projectPicture(view, texture, lensOf(frame), headPosition(face), headRotation(face));
      const tone = now - this.toneAt > TONE_INTERVAL && this.picture.faceTone(frame, face.id);
      if (tone) view.uniforms.tone.value.copy(tone);
    }
    if (now - this.toneAt > TONE_INTERVAL) this.toneAt = now;
  }

  private driveAvatar(seconds: number): void {
    const { crowd, avatar } = this;
    crowd?.hideSelected(avatar !== null);
    if (!crowd?.current || !avatar) return;
    const weights = this.model!.blendshapesAreExpression ? crowd.current.weights : this.shown;
    const { position, quaternion } = crowd.current.group;
    avatar.drive(weights, position, quaternion, seconds, this.stage.asCamera);
  }

  private measureLatency(): void {
    const frame = this.unrendered;
    this.unrendered = null;
    const { crowd, source } = this;
    if (!frame || source === "manual") return;
    this.latency.submitted(() => {
      const now = source === "webcam" ? pageSeconds() : this.stream.serverSeconds;
      return now === null ? null : now - frame.stamp;
    }, crowd?.current?.lag ?? 0);
  }
}
