// Whose face is shown: the server's, that of the own camera, or one that is moved by hand.

import { ask, byId, choose, setText, toast } from "./dom";
import type { Page, Source } from "./page";
import { Webcam } from "./webcam";

const OPEN_JAW = 0.6; // of jawOpen, by the button

export class Sources {
  private webcam: Webcam | null = null;
  private choices = 0; // so far: a camera may start when another source was chosen meanwhile

  constructor(private page: Page) {}

  /** What the buttons of the sources do; the own camera wants consent, and without it the server's faces are shown. */
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

  /** Null where the user or the browser does not want it. */
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
        toast(`The camera has stopped: ${reason}`);
        choose("source", "stream");
      },
    );
    try {
      await webcam.start();
    } catch (error) {
      webcam.stop();
      toast(`No camera: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
    return webcam;
  }

  /** A slider was moved: from now on the face is the user's. */
  slide(index: number, value: number): void {
    if (this.page.source !== "manual") choose("source", "manual");
    this.page.setManual(index, value);
    this.showMouthButton();
  }

  relax(): void {
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

  /** Whether the mouth was opened by hand. */
  private get open(): boolean {
    return this.page.source === "manual" && this.page.manual[this.jaw] > OPEN_JAW / 2;
  }

  private showMouthButton(): void {
    byId("mouth-button").setAttribute("aria-pressed", String(this.open));
    setText(byId("mouth-button"), this.open ? "Close mouth" : "Open mouth");
  }
}
