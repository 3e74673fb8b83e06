// Everything around the face: bars, history, affect, rates, face selection, connection state and hints.

import type { FaceFrame, StreamFrame } from "./codec";
import { byId, make, setText } from "./dom";
import { Rate } from "./meters";
import type { FaceModel } from "./model";
import type { Page, PageState } from "./page";
import { drawAffect, History } from "./plots";
import { ShapesPanel } from "./shapes_panel";

const UPDATE_INTERVAL = 1 / 10; // seconds: each changed panel is painted again, which is slow without a GPU
const NOTHING = "–";
const STATES: Record<PageState, string> = {
  connecting: "Connecting", open: "Connected", closed: "Reconnecting", unauthorized: "Token required",
};

export class Readouts {
  private panel: ShapesPanel | null = null;
  private history = new History();
  private drawn = new Rate();
  private received = new Rate();
  private last = -Infinity;

  constructor(private page: Page, private onSlide: (index: number, value: number) => void) {}

  useModel(model: FaceModel): void {
    const showLegend = (selected: Map<number, string>): void => this.history.legend(model.blendshapeNames, selected);
    this.panel = new ShapesPanel(model.blendshapeNames, this.onSlide, showLegend);
  }

  /** Updates with a frame received at `now` (seconds), and the blendshapes of the selected face. */
  receive(now: number, blendshapes: ArrayLike<number> | undefined): void {
    this.received.tick(now);
    if (blendshapes) this.history.add(now, blendshapes);
  }

  /** Updates after a frame rendered at `now` (seconds). */
  draw(now: number): void {
    this.drawn.tick(now);
    if (now - this.last < UPDATE_INTERVAL) return;
    this.last = now;
    const { page } = this;
    const live = page.source === "manual" ? null : page.lastFrame;
    this.showShapes(now);
    showExpression(live && page.selectedFace);
    this.showRates(now);
    page.picture.draw(live, page.crowd?.selected ?? null, page.mirrored);
    this.showConnection();
    this.showFaces(live);
    page.recorder.show();
  }

  private showShapes(now: number): void {
    const { page, panel } = this;
    if (!panel) return;
    panel.show(page.shown);
    if (page.source === "manual") this.history.add(now, page.manual);
    this.history.draw(now, panel.selected);
  }

  private showRates(now: number): void {
    const { source, latency: { median } } = this.page;
    setText(byId("fps"), this.drawn.at(now).toFixed(0));
    setText(byId("rate"), source === "manual" ? NOTHING : this.received.at(now).toFixed(0));
    setText(byId("latency"), Number.isFinite(median) ? `${median.toFixed(0)} ms` : NOTHING);
  }

  private showConnection(): void {
    const { state } = this.page;
    const pill = byId("connection");
    if (pill.dataset.state !== state) pill.dataset.state = state;
    setText(pill.querySelector("span")!, STATES[state]);
    const text = this.hint;
    byId("hint").hidden = !text;
    setText(byId("hint"), text);
  }

  /** Why the face does not move; empty if it does. */
  private get hint(): string {
    const { source, state, lastFrame } = this.page;
    if (source === "manual" || lastFrame?.faces.length) return "";
    if (source === "webcam") return "No face in view of your camera";
    if (state === "unauthorized") return "The server requires a token";
    if (state !== "open") return "Waiting for the server";
    return lastFrame ? "No face in view" : "Waiting for the first image: is the camera running?";
  }

  private showFaces(frame: StreamFrame | null): void {
    const { crowd } = this.page;
    const ids = (frame?.faces ?? []).map((face) => face.id);
    const place = byId("faces");
    const state = `${ids.join()}|${crowd?.selected}`;
    if (place.dataset.state === state) return;
    place.dataset.state = state;
    place.replaceChildren(...(ids.length < 2 ? [] : ids).map((id) => {
      const chip = make("button", { type: "button", className: "small" }, `Face ${id}`);
      chip.setAttribute("aria-pressed", String(id === crowd?.selected));
      chip.addEventListener("click", () => crowd && (crowd.selected = id));
      return chip;
    }));
  }
}

function showExpression(face: FaceFrame | null): void {
  drawAffect(face);
  setText(byId("label"), face?.label || NOTHING);
  setText(byId("valence"), face ? face.valence.toFixed(2) : NOTHING);
  setText(byId("arousal"), face ? face.arousal.toFixed(2) : NOTHING);
  byId("mouth").dataset.open = String(face?.mouthOpen ?? false);
  setText(byId("mouth"), `Mouth ${!face ? NOTHING : face.mouthOpen ? "open" : "closed"}`);
}
