// Starts the page, and tells tests and the curious what it knows.

import "./style.css";
import { AvatarChooser } from "./avatar_chooser";
import { Controls } from "./controls";
import { toast } from "./dom";
import { Page } from "./page";
import { Sources } from "./sources";
import { Theme } from "./theme";
import { givenToken } from "./token";

function start(): void {
  const page = new Page(givenToken(), (index, value) => sources.slide(index, value));
  const sources = new Sources(page);
  new Controls(page, sources, new Theme());
  new AvatarChooser(page);
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
    get faces() {
      return page.crowd?.ids ?? [];
    },
    lastFrame: () => page.lastFrame,
    mouthOpening: () => page.crowd?.current?.mouthOpening() ?? NaN,
    avatarWeight: (name) => page.avatar?.weight(name) ?? NaN,
    setManual(name, value) {
      const index = page.model?.blendshapeNames.indexOf(name) ?? -1;
      if (index < 0) throw new RangeError(`there is no blendshape ${JSON.stringify(name)}`);
      sources.slide(index, value);
    },
  };
}

/** What tests and curious users may ask the page. */
export interface FaceExpr {
  /** Of the stream: connecting, open, closed or unauthorized. */
  readonly state: string;
  readonly source: string;
  /** Received from the source. */
  readonly frames: number;
  /** Drawn by the page. */
  readonly drawn: number;
  readonly model: string | null;
  /** Milliseconds of script per drawn frame, median of the last 120. */
  readonly scriptMs: number;
  /** Milliseconds from the image's stamp to the drawn frame, median of the last 120. */
  readonly latencyMs: number;
  /** Ids of the faces on the stage; 0 is the one that is at rest or moved by hand. */
  readonly faces: number[];
  lastFrame(): unknown;
  /** Meters between the inner lips of the selected face, from the morph weights that it is drawn with. */
  mouthOpening(): number;
  avatarWeight(name: string): number;
  /** Moves a slider: the source becomes manual. */
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
  toast(`The page cannot draw: ${error instanceof Error ? error.message : String(error)}`);
}
