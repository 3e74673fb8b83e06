import "./style.css";
import { Controls } from "./controls";
import { toast } from "./dom";
import { Page } from "./page";

/** The token of the address, which is then taken out of it: addresses are shown and shared. */
function givenToken(): string {
  const url = new URL(location.href);
  const token = url.searchParams.get("token");
  if (!token) return sessionStorage.getItem("face_expr token") ?? "";
  sessionStorage.setItem("face_expr token", token);
  url.searchParams.delete("token");
  history.replaceState(null, "", url);
  return token;
}

function start(): void {
  let controls: Controls | null = null;
  const page = new Page(givenToken(), (index, value) => controls?.slide(index, value));
  controls = new Controls(page);
  const moved = controls;
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
    avatarWeight: (name) => page.currentAvatar?.weight(name) ?? NaN,
    setManual(name, value) {
      const index = page.model?.blendshapeNames.indexOf(name) ?? -1;
      if (index < 0) throw new RangeError(`there is no blendshape ${JSON.stringify(name)}`);
      moved.slide(index, value);
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
