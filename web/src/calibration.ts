// Neutral expression and guided calibration of a person, by the server's endpoints; docs/web.md describes them.

import { authorized, byId, download, make, setText, toast } from "./dom";
import type { Page } from "./page";

interface Step {
  name: string;
  text: string;
  seconds: number;
}

const KEY = "face_expr calibration"; // of the person at this device, in localStorage
const COUNTDOWN = 3; // seconds
const TICK = 100; // milliseconds

/** The calibration stored in this browser, as JSON; null if there is none. */
export const storedCalibration = (): string | null => localStorage.getItem(KEY);

export class Calibration {
  private dialog = byId<HTMLDialogElement>("calibration-dialog");
  private runs = 0; // counter: the dialog may be closed during a step

  constructor(private page: Page) {
    const input = byId<HTMLInputElement>("calibration-file");
    const actions: Record<string, () => void> = {
      neutral: () => void this.setNeutral(),
      calibrate: () => void this.open(),
      "calibration-start": () => void this.run(),
      "calibration-close": () => this.dialog.close(),
      "calibration-export": () => void this.export(),
      "calibration-import": () => input.click(),
      "calibration-remove": () => void this.remove(),
    };
    for (const [id, act] of Object.entries(actions)) byId(id).addEventListener("click", act);
    this.dialog.addEventListener("close", () => this.runs++);
    input.addEventListener("change", () => {
      if (input.files?.[0]) void this.import(input.files[0]);
      input.value = "";
    });
  }

  /** Requests an endpoint of the person in view; throws Error with the server's sentence. */
  private async ask(method: string, path: string, body?: string): Promise<Response> {
    const client = this.page.source === "webcam" ? `?client=${this.page.client}` : "";
    const headers = { ...authorized(this.page.token), ...(body ? { "Content-Type": "application/json" } : {}) };
    const answer = await fetch(`api/${path}${client}`, { method, headers, body });
    if (answer.ok) return answer;
    const { detail } = await answer.json().catch(() => ({ detail: "" }));
    if (answer.status === 405 || detail === "Not Found") throw new Error("this server cannot be calibrated");
    throw new Error(typeof detail === "string" && detail ? detail : `${answer.status} ${answer.statusText}`);
  }

  /** What the face shows now becomes neutral. */
  private async setNeutral(): Promise<void> {
    if (this.page.source === "manual") return toast("Select Live or My camera first");
    try {
      const { message } = await (await this.ask("POST", "neutral")).json();
      toast(message);
      await this.store();
    } catch (error) {
      toast(`Neutral not set: ${text(error)}`);
    }
  }

  private async open(): Promise<void> {
    if (this.page.source === "manual") return toast("Select Live or My camera first");
    this.dialog.showModal();
    this.say("The values are adapted to one person: how their face looks at rest, and how far it moves. Sit in front of the camera, alone, and follow the instructions for about a minute.");
    byId("calibration-start").hidden = false;
    try {
      const steps: Step[] = await (await this.ask("GET", "calibration/steps")).json();
      byId("calibration-steps").replaceChildren(...steps.map((step) => make("li", {}, make("b", {}, step.text), make("span", {}))));
    } catch (error) {
      byId("calibration-start").hidden = true;
      this.say(`Calibration is not available: ${text(error)}.`);
    }
  }

  /** Guides through all steps. */
  private async run(): Promise<void> {
    const run = ++this.runs;
    const rows = [...byId("calibration-steps").children] as HTMLElement[];
    byId("calibration-start").hidden = true;
    byId("calibration-progress").hidden = false;
    try {
      const steps: Step[] = await (await this.ask("GET", "calibration/steps")).json();
      for (const [k, step] of steps.entries()) {
        rows.forEach((row, other) => row.setAttribute("aria-current", other === k ? "step" : "false"));
        await this.countdown(step, run);
        if (run !== this.runs) return;
        await this.record(step, rows[k], run);
        if (run !== this.runs) return;
      }
      const { notes } = await (await this.ask("POST", "calibration/finish")).json();
      await this.store();
      this.say(["The calibration is in use and stored in this browser.", ...notes].join(" "));
    } catch (error) {
      this.say(`The calibration was stopped: ${text(error)}.`);
    } finally {
      if (run === this.runs) {
        rows.forEach((row) => row.setAttribute("aria-current", "false"));
        byId("calibration-progress").hidden = true;
        setText(byId("calibration-start"), "Repeat");
        byId("calibration-start").hidden = false;
      }
    }
  }

  private async countdown(step: Step, run: number): Promise<void> {
    for (let left = COUNTDOWN; left > 0 && run === this.runs; left--) {
      this.say(`${step.text} Recording in ${left} …`);
      await wait(1000);
    }
  }

  private async record(step: Step, row: HTMLElement, run: number): Promise<void> {
    this.say(`${step.text} Hold it …`);
    const progress = byId<HTMLProgressElement>("calibration-progress");
    const begun = performance.now();
    const timer = window.setInterval(() => (progress.value = Math.min(1, (performance.now() - begun) / 1000 / step.seconds)), TICK);
    try {
      const { good, message } = await (await this.ask("POST", `calibration/steps/${step.name}`)).json();
      if (run !== this.runs) return;
      row.dataset.good = String(good);
      setText(row.querySelector("span")!, message);
    } finally {
      window.clearInterval(timer);
      progress.value = 0;
    }
  }

  private say(sentence: string): void {
    setText(byId("calibration-text"), sentence);
  }

  /** Stores the calibration of this device's camera: it is sent again when that camera is used again. */
  private async store(): Promise<void> {
    const answer = await this.ask("GET", "calibration");
    localStorage.setItem(KEY, JSON.stringify(await answer.json()));
  }

  private async export(): Promise<void> {
    await this.guarded(async () => download("calibration.yaml", await (await this.ask("GET", "calibration.yaml")).blob()));
  }

  private async import(file: File): Promise<void> {
    await this.guarded(async () => {
      await this.ask("PUT", "calibration", await file.text());
      await this.store();
      this.say(`${file.name} is in use.`);
    });
  }

  private async remove(): Promise<void> {
    await this.guarded(async () => {
      await this.ask("DELETE", "calibration");
      localStorage.removeItem(KEY);
      this.say("The calibration is removed: values are shown as they are measured.");
    });
  }

  /** Applies the stored calibration to this device's camera. */
  async restore(): Promise<void> {
    const stored = storedCalibration();
    if (!stored) return;
    await this.ask("PUT", "calibration", stored).catch((error) => toast(`The stored calibration is not used: ${text(error)}`));
  }

  private async guarded(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.say(`${text(error)}.`);
    }
  }
}

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => window.setTimeout(resolve, milliseconds));
