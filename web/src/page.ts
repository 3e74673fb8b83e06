// The page: takes what the sources say and draws frames. What stands around the face is in readouts.ts.

import { Quaternion, Vector3 } from "three";
import { LEAST_WEIGHT, LEAST_WEIGHT_IN_SOFTWARE } from "./active_morphs";
import type { Avatar } from "./avatar";
import { VERSION, type FaceFrame, type StreamFrame } from "./codec";
import { FaceStream, LastingSocket, pageSeconds, type ConnectionState, type Hello } from "./connection";
import { Crowd } from "./crowd";
import { byId, toast } from "./dom";
import { makeKit, type Look } from "./face_view";
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

const REMEMBERED = 90; // frames among which the one of a picture is looked for
const SILENCE = 1.5; // seconds without a frame after which the face rests
const LIVE_STAMPS = 10; // seconds: an older stamp is that of a recording, and tells no latency
const SETTLING = 3; // seconds after a model came in which frames that waited for it are drawn: no latency to show
const ORIGIN = new Vector3();

export class Page {
  readonly stage = new Stage(byId<HTMLCanvasElement>("canvas"));
  readonly picture = new PictureView();
  readonly recorder = new Recorder(this);
  /** Milliseconds from a stamp to the drawn frame, and of script for a drawn frame. */
  readonly latency = new Recent();
  readonly script = new Recent();
  state: PageState = "connecting";
  source: Source = "stream";
  /** Received from the sources, and drawn. */
  frames = 0;
  drawn = 0;
  lastFrame: StreamFrame | null = null;
  /** The sliders, by the model's blendshapes. */
  manual = new Float32Array(0);
  model: FaceModel | null = null;
  crowd: Crowd | null = null;
  avatar: Avatar | null = null;
  mirrored = false;
  onTokenWanted: () => void = () => {};
  private look: Look = "mesh";
  private stream: FaceStream;
  private loader: ModelLoader;
  private readouts: Readouts;
  private cameraSocket: LastingSocket | null = null;
  private received: StreamFrame[] = [];
  private undrawn: StreamFrame | null = null;
  private lastFrameAt = -Infinity;
  private lastTime = performance.now();
  private settledAt = Infinity; // seconds

  constructor(public token: string, onSlide: (index: number, value: number) => void) {
    this.readouts = new Readouts(this, onSlide);
    this.loader = new ModelLoader(() => this.token, {
      loaded: (model) => this.useModel(model),
      refused: () => this.wantToken(),
      reachable: () => this.state === "open",
    });
    this.stream = new FaceStream(() => this.token, {
      hello: (hello) => this.greet(hello),
      frame: (frame) => this.source === "stream" && this.receive(frame),
      state: (state) => this.connected(state),
    });
    void this.loader.load();
    requestAnimationFrame((time) => this.draw(time));
  }

  private connected(state: ConnectionState): void {
    if (this.state === "unauthorized" && state !== "open") return;
    this.state = state;
    if (state === "closed" && this.source !== "webcam") this.picture.clear(); // it would look as if it were live
    if (state !== "open") return;
    if (!this.model) void this.loader.load();
    this.cameraSocket?.restart(); // where the stream was lost without a word, the picture was too
  }

  private greet(hello: Hello): void {
    if (hello.version !== VERSION) toast("The server has become another version: load the page again");
    this.loader.announce(hello.model_sha256);
    if (hello.camera && !this.cameraSocket) {
      this.cameraSocket = new LastingSocket("ws/camera", () => this.token, (data) => {
        if (typeof data !== "string" && this.source !== "webcam") void this.picture.receive(data);
      });
    }
  }

  private wantToken(): void {
    this.state = "unauthorized";
    this.onTokenWanted();
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
    const least = this.stage.software ? LEAST_WEIGHT_IN_SOFTWARE : LEAST_WEIGHT;
    this.crowd = new Crowd(makeKit(model, least), this.stage.root);
    this.crowd.setLook(this.look);
    this.manual = new Float32Array(model.blendshapeNames.length);
    this.readouts.useModel(model);
    this.settledAt = performance.now() / 1000 + SETTLING;
    this.rest();
  }

  /** A frame of the current source. */
  receive(frame: StreamFrame): void {
    this.frames++;
    this.lastFrame = this.undrawn = frame;
    this.lastFrameAt = performance.now() / 1000;
    this.received.push(frame);
    if (this.received.length > REMEMBERED) this.received.shift();
    if (frame.width) this.stage.setLens(lensOf(frame));
    if (frame.faces.length) this.crowd?.follow(frame);
    else this.rest();
    this.recorder.add(frame);
    this.readouts.receive(this.lastFrameAt, this.selectedFace?.blendshapes);
  }

  private rest(): void {
    const moved = this.source === "manual" && this.model?.blendshapesAreExpression;
    this.crowd?.alone(moved ? this.manual : new Float32Array(this.manual.length));
  }

  get selectedFace(): FaceFrame | null {
    return this.lastFrame?.faces.find((face) => face.id === this.crowd?.selected) ?? null;
  }

  setSource(source: Source): void {
    this.source = source;
    if (source === "manual") this.manual.set(this.selectedFace?.blendshapes.subarray(0, this.manual.length) ?? this.manual);
    else this.lastFrame = null;
    this.picture.clear(); // it is another camera's, or nobody's
    this.received = [];
    this.undrawn = null;
    this.latency.clear();
    document.body.classList.toggle("manual", source === "manual");
    if (source === "manual" && this.model && !this.model.blendshapesAreExpression) {
      toast(`The face model ${this.model.name} has expressions of its own: the sliders move an avatar alone`);
    }
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
    if (this.source === "manual" && this.recorder.recording) {
      this.recorder.addManual(this.manual, this.crowd?.current?.currentShape ?? null);
    }
    this.stage.watchPace(seconds);
    this.crowd?.advance(seconds);
    this.layPicture();
    this.driveAvatar(seconds);
    this.stage.render(this.crowd?.center ?? ORIGIN);
    this.drawn++;
    if (now > this.settledAt) this.measureLatency();
    this.readouts.draw(now);
    this.script.add(performance.now() - begun);
  }

  private fallSilent(): void {
    if (!this.lastFrame) return;
    this.lastFrame = null;
    this.latency.clear();
    this.rest();
  }

  /** The picture goes onto the faces as they stood in the frame nearest to its stamp. */
  private layPicture(): void {
    const { crowd, picture: { texture, stamp } } = this;
    this.stage.setPicture(texture);
    for (const view of crowd?.all ?? []) if (!texture) view.uniforms.picture.value = null;
    if (!crowd || !texture || this.look !== "texture" || this.source === "manual" || !this.received.length) return;
    const distance = (frame: StreamFrame): number => Math.abs(frame.stamp - stamp);
    const frame = this.received.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    for (const face of frame.faces) {
      const view = crowd.find(face.id); // it may be gone since
      if (view) projectPicture(view, texture, lensOf(frame), headPosition(face), headRotation(face));
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
}
