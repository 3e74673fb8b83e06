// Source of the face: the server's stream, this device's camera, or the sliders.

import { ask, byId, choose, setText, toast } from "./dom";
import type { Page, Source } from "./page";
import { Webcam } from "./webcam";

const OPEN_JAW = 0.6; // jawOpen set by the mouth button

export class Sources {
  private webcam: Webcam | null = null;
  private choices = 0; // counter: another source may be chosen while a camera starts

  constructor(private page: Page) {}

  /** Selects a source; the device camera requires consent, and falls back to the stream without it. */
  async set(source: Source): Promise<void> {
    const choice = ++this.choices;
    this.webcam?.stop();
    this.webcam = null;
    const webcam = source === "webcam" ? await this.startWebcam() : null;
    if (choice !== this.choices) return webcam?.stop();
    if (source === "webcam" && !webcam) return choose("source", "stream");
    this.webcam = webcam;
    this.page.setSource(source);
    this.showMouthButton();
  }

  /** Starts the device camera; null if the user or the browser refuses. */
  private async startWebcam(): Promise<Webcam | null> {
    setText(byId("consent-host"), location.host);
    if (!(await ask("consent"))) return null;
    const webcam = new Webcam(
      this.page.token,
      (frame, bitmap) => {
        if (this.page.source !== "webcam") return bitmap.close();
        this.page.receive(frame);
        this.page.picture.show({ bitmap, stamp: frame.stamp });
      },
      (reason) => {
        toast(`Camera stopped: ${reason}`);
        choose("source", "stream");
      },
    );
    try {
      await webcam.start();
    } catch (error) {
      webcam.stop();
      toast(`Camera not available: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
    return webcam;
  }

  /** Handles a moved slider: switches to manual control. */
  slide(index: number, value: number): void {
    if (this.page.source !== "manual") choose("source", "manual");
    this.page.setManual(index, value);
    this.showMouthButton();
  }

  resetSliders(): void {
    if (this.page.source !== "manual") choose("source", "manual");
    this.page.manual.forEach((_, k) => this.page.setManual(k, 0));
    this.showMouthButton();
  }

  moveMouth(): void {
    const { jaw, open, page } = this;
    if (jaw < 0) return;
    if (page.source !== "manual") {
      choose("source", "manual");
      page.manual.fill(0);
    }
    this.slide(jaw, open ? 0 : OPEN_JAW);
  }

  private get jaw(): number {
    return this.page.model?.blendshapeNames.indexOf("jawOpen") ?? -1;
  }

  /** Whether the mouth is open by manual control. */
  private get open(): boolean {
    return this.page.source === "manual" && this.page.manual[this.jaw] > OPEN_JAW / 2;
  }

  private showMouthButton(): void {
    byId("mouth-button").setAttribute("aria-pressed", String(this.open));
    setText(byId("mouth-button"), this.open ? "Close mouth" : "Open mouth");
  }
}
