// Starts the page and defines `window.faceExpr` for tests and debugging.

import "./style.css";
import { AvatarChooser } from "./avatar_chooser";
import { Calibration } from "./calibration";
import { Controls } from "./controls";
import { toast } from "./dom";
import { applyUrlOptions } from "./overlay";
import { Page } from "./page";
import { Phone } from "./phone";
import { Sources } from "./sources";
import { Theme } from "./theme";
import { initialToken } from "./token";

function start(): void {
  const page = new Page(initialToken(), (index, value) => sources.slide(index, value));
  const sources = new Sources(page, new Calibration(page));
  new Controls(page, sources, new Theme());
  new Phone(() => page.token);
  applyUrlOptions(page, new AvatarChooser(page));
  window.faceExpr = {
    get state() {
      return page.state;
    },
    get source() {
      return page.source;
    },
    get frames() {
      return page.frames;
    },
    get drawn() {
      return page.drawn;
    },
    get model() {
      return page.model?.name ?? null;
    },
    get scriptMs() {
      return page.script.median;
    },
    get latencyMs() {
      return page.latency.median;
    },
    get triangles() {
      return page.stage.renderer.info.render.triangles;
    },
    get drawCalls() {
      return page.stage.renderer.info.render.calls;
    },
    get faces() {
      return page.crowd?.ids ?? [];
    },
    lastFrame: () => page.lastFrame,
    mouthOpening: () => page.crowd?.current?.mouthOpening() ?? NaN,
    avatarWeight: (name) => page.avatar?.weight(name) ?? NaN,
    setManual(name, value) {
      const index = page.model?.blendshapeNames.indexOf(name) ?? -1;
      if (index < 0) throw new RangeError(`unknown blendshape ${JSON.stringify(name)}`);
      sources.slide(index, value);
    },
  };
}

/** State and controls of the page, for tests and debugging. */
export interface FaceExpr {
  /** State of the stream: connecting, open, closed or unauthorized. */
  readonly state: string;
  readonly source: string;
  /** Number of received frames. */
  readonly frames: number;
  /** Number of rendered frames. */
  readonly drawn: number;
  readonly model: string | null;
  /** Script time per rendered frame in milliseconds, median of the last 120. */
  readonly scriptMs: number;
  /** Time from the image stamp until the face is drawn, in milliseconds, median of the last 120. */
  readonly latencyMs: number;
  /** Triangles and draw calls of the last rendered frame. */
  readonly triangles: number;
  readonly drawCalls: number;
  /** Ids of the rendered faces; 0 is the neutral or manual face. */
  readonly faces: number[];
  lastFrame(): unknown;
  /** Distance between the inner lips of the selected face in meters, from its rendered morph weights. */
  mouthOpening(): number;
  avatarWeight(name: string): number;
  /** Moves a slider, which switches the source to manual. */
  setManual(name: string, value: number): void;
}

declare global {
  interface Window {
    faceExpr: FaceExpr;
  }
}

try {
  start();
} catch (error) {
  toast(`The page cannot be rendered: ${error instanceof Error ? error.message : String(error)}`);
}
