// Source of the face: the server's stream, this device's camera, or the sliders.

import type { Calibration } from "./calibration";
import { ask, byId, choose, make, setText, tell, toast } from "./dom";
import type { Page, Source } from "./page";
import { cameraProblem, Webcam } from "./webcam";

const OPEN_JAW = 0.6; // jawOpen set by the mouth button
const CAMERA_KEY = "face_expr camera"; // device id, in localStorage

export class Sources {
  private webcam: Webcam | null = null;
  private choices = 0; // counter: another source may be chosen while a camera starts
  private mirroredBefore: boolean | null = null; // by the user, before the camera was mirrored

  constructor(private page: Page, private calibration: Calibration) {
    byId<HTMLSelectElement>("camera-list").addEventListener("change", ({ target }) => {
      localStorage.setItem(CAMERA_KEY, (target as HTMLSelectElement).value);
      if (this.page.source === "webcam") void this.set("webcam", true);
    });
  }

  /** Selects a source; the device camera requires consent, and falls back to the stream without it. */
  async set(source: Source, consented = false): Promise<void> {
    const choice = ++this.choices;
    this.webcam?.stop();
    this.webcam = null;
    const webcam = source === "webcam" ? await this.startWebcam(consented) : null;
    if (choice !== this.choices) return webcam?.stop();
    if (source === "webcam" && !webcam) return choose("source", "stream");
    this.webcam = webcam;
    this.page.setSource(source);
    if (webcam) void webcam.connected.then(() => this.calibration.restore());
    this.mirrorCamera();
    byId("camera-choice").hidden = !webcam;
    this.showMouthButton();
  }

  /** Starts the device camera; null if the user or the browser refuses. */
  private async startWebcam(consented: boolean): Promise<Webcam | null> {
    setText(byId("consent-host"), location.host);
    if (!consented && !(await ask("consent"))) return null;
    const webcam = new Webcam(this.page.token, this.page.client, {
      frame: (frame, bitmap) => {
        if (this.page.source !== "webcam") return bitmap.close();
        this.page.receive(frame);
        this.page.picture.show({ bitmap, stamp: frame.stamp });
      },
      end: (reason) => {
        toast(`Camera stopped: ${reason}`);
        choose("source", "stream");
      },
    });
    try {
      await this.openCamera(webcam);
    } catch (error) {
      webcam.stop();
      tell("The camera is not available", cameraProblem(error));
      return null;
    }
    return webcam;
  }

  /** Opens the camera of the last visit if it is still connected, and lists all of them. */
  private async openCamera(webcam: Webcam): Promise<void> {
    const saved = localStorage.getItem(CAMERA_KEY) ?? "";
    try {
      await webcam.start(saved);
    } catch (error) {
      if (!saved || !(error instanceof DOMException && error.name === "OverconstrainedError")) throw error;
      localStorage.removeItem(CAMERA_KEY);
      await webcam.start("");
    }
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
    byId("camera-list").replaceChildren(...cameras.map(({ deviceId, label }, k) => (
      make("option", { value: deviceId, selected: deviceId === webcam.settings.deviceId }, label || `Camera ${k + 1}`)
    )));
  }

  /** A camera that faces the user is mirrored, as people expect of their own picture. */
  private mirrorCamera(): void {
    const own = this.webcam !== null && this.webcam.settings.facingMode !== "environment";
    if (own && this.mirroredBefore === null) {
      this.mirroredBefore = this.page.mirrored;
      this.page.setMirrored(true);
    } else if (!own && this.mirroredBefore !== null) {
      this.page.setMirrored(this.mirroredBefore);
      this.mirroredBefore = null;
    }
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
