// Buttons, keys, dialogs and dropped files.

import { ask, byId, download, toast } from "./dom";
import type { Look } from "./face_view";
import { takeAsGlb } from "./glb";
import type { Page, Source } from "./page";
import type { Viewpoint } from "./stage";
import { Take } from "./take";
import { Webcam } from "./webcam";

const OPEN_JAW = 0.6;
const LARGEST_AVATAR = 200e6; // bytes

export class Controls {
  private webcam: Webcam | null = null;
  private choices = 0; // of sources so far: a camera may start when another source was chosen meanwhile
  private theme: "dark" | "light";

  constructor(private page: Page) {
    const preferred = window.matchMedia("(prefers-color-scheme: light)");
    const saved = localStorage.getItem("face_expr theme");
    this.theme = saved === "light" || saved === "dark" ? saved : preferred.matches ? "light" : "dark";
    this.showTheme();
    preferred.addEventListener("change", () => !localStorage.getItem("face_expr theme") && this.setTheme(preferred.matches ? "light" : "dark"));
    this.radios<Look>("look", (look) => page.setLook(look));
    this.radios<Viewpoint>("viewpoint", (viewpoint) => page.stage.setViewpoint(viewpoint));
    this.radios<Source>("source", (source) => void this.setSource(source));
    this.buttons();
    this.files();
    window.addEventListener("keydown", (event) => this.key(event));
    page.onTokenWanted = () => void this.askToken();
    page.onRecordingFull = () => this.record();
  }

  private radios<T extends string>(name: string, choose: (value: T) => void): void {
    for (const input of document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`)) {
      // Browsers keep a choice over a reload, but not what it had done.
      input.checked = input.defaultChecked;
      input.addEventListener("change", () => choose(input.value as T));
    }
  }

  private choose(name: string, value: string): void {
    const input = document.querySelector<HTMLInputElement>(`input[name="${name}"][value="${value}"]`)!;
    input.checked = true;
    input.dispatchEvent(new Event("change"));
  }

  private chosen(name: string): string {
    return document.querySelector<HTMLInputElement>(`input[name="${name}"]:checked`)!.value;
  }

  private buttons(): void {
    const actions: Record<string, () => void> = {
      theme: () => this.toggleTheme(),
      help: () => void ask("help-dialog"),
      mirror: () => this.mirror(),
      reset: () => this.page.stage.resetView(),
      record: () => this.record(),
      avatar: () => this.avatarButton(),
      connection: () => this.page.state === "unauthorized" && void this.askToken(),
      relax: () => this.relax(),
      "mouth-button": () => this.moveMouth(),
      "save-json": () => this.save("json"),
      "save-csv": () => this.save("csv"),
      "save-glb": () => this.save("glb"),
    };
    for (const [id, act] of Object.entries(actions)) byId(id).addEventListener("click", act);
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const typing = target instanceof HTMLInputElement && target.type !== "range" && target.type !== "radio";
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const actions: Record<string, () => void> = {
      "1": () => this.choose("look", "mesh"),
      "2": () => this.choose("look", "wireframe"),
      "3": () => this.choose("look", "landmarks"),
      "4": () => this.choose("look", "texture"),
      "0": () => this.page.stage.resetView(),
      c: () => this.choose("viewpoint", this.chosen("viewpoint") === "portrait" ? "camera" : "portrait"),
      x: () => this.mirror(),
      m: () => this.choose("source", this.page.source === "manual" ? "stream" : "manual"),
      o: () => this.moveMouth(),
      r: () => this.record(),
      n: () => this.page.crowd?.next(),
      t: () => this.toggleTheme(),
      "?": () => void ask("help-dialog"),
    };
    const act = actions[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }

  private toggleTheme(): void {
    this.setTheme(this.theme === "dark" ? "light" : "dark");
    localStorage.setItem("face_expr theme", this.theme);
  }

  private setTheme(theme: "dark" | "light"): void {
    this.theme = theme;
    this.showTheme();
  }

  private showTheme(): void {
    document.documentElement.dataset.theme = this.theme;
  }

  private mirror(): void {
    this.page.setMirrored(!this.page.mirrored);
    byId("mirror").setAttribute("aria-pressed", String(this.page.mirrored));
  }

  // Sources

  private async setSource(source: Source): Promise<void> {
    const choice = ++this.choices;
    this.webcam?.stop();
    this.webcam = null;
    const webcam = source === "webcam" ? await this.startWebcam() : null;
    if (choice !== this.choices) return webcam?.stop();
    if (source === "webcam" && !webcam) return this.choose("source", "stream");
    this.webcam = webcam;
    this.page.setSource(source);
    this.showMouthButton();
  }

  /** Null where the user or the browser does not want it. */
  private async startWebcam(): Promise<Webcam | null> {
    byId("consent-host").textContent = location.host;
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
        this.choose("source", "stream");
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
    if (this.page.source !== "manual") this.choose("source", "manual");
    this.page.setManual(index, value);
    this.showMouthButton();
  }

  private relax(): void {
    if (this.page.source !== "manual") this.choose("source", "manual");
    this.page.manual.forEach((_, k) => this.page.setManual(k, 0));
    this.showMouthButton();
  }

  private get jaw(): number {
    return this.page.model?.blendshapeNames.indexOf("jawOpen") ?? -1;
  }

  private moveMouth(): void {
    const { jaw, page } = this;
    if (jaw < 0) return;
    const open = page.source === "manual" && page.manual[jaw] > OPEN_JAW / 2;
    if (page.source !== "manual") {
      this.choose("source", "manual");
      page.manual.fill(0);
    }
    this.slide(jaw, open ? 0 : OPEN_JAW);
  }

  private showMouthButton(): void {
    const open = this.page.source === "manual" && this.page.manual[this.jaw] > OPEN_JAW / 2;
    const button = byId("mouth-button");
    button.setAttribute("aria-pressed", String(open));
    button.textContent = open ? "Close mouth" : "Open mouth";
  }

  // Takes

  private record(): void {
    const { page } = this;
    if (!page.model) return toast("There is no face model yet");
    if (!page.recording) page.take = new Take(page.model.blendshapeNames, page.model.name);
    page.recording = !page.recording;
    byId("record").setAttribute("aria-pressed", String(page.recording));
    byId("record").querySelector("span")!.textContent = page.recording ? "Stop" : "Record";
    byId("recording").hidden = !page.recording;
    const frames = page.take!.frames.length;
    byId("take").hidden = page.recording || !frames;
    byId("take-text").textContent = `${frames} frames, ${page.take!.seconds.toFixed(1)} s. Download as`;
    if (!page.recording && !frames) toast("Nothing was recorded: no face was in view");
  }

  private save(kind: "json" | "csv" | "glb"): void {
    const { take, model, crowd } = this.page;
    if (!take?.frames.length || !model) return;
    const name = `take-${new Date(take.frames[0].stamp * 1000).toISOString().slice(0, 19).replace(/:/g, "")}.${kind}`;
    if (kind === "json") return download(name, new Blob([take.json()], { type: "application/json" }));
    if (kind === "csv") return download(name, new Blob([take.csv()], { type: "text/csv" }));
    const chosen = take.of(crowd?.selected ?? -1);
    const frames = chosen.length ? chosen : take.of(take.frames[0].faces[0].id);
    download(name, takeAsGlb(model, crowd?.current?.neutral ?? model.mean, frames));
  }

  // Avatars

  private avatarButton(): void {
    if (this.page.currentAvatar) {
      this.page.setAvatar(null);
      this.showAvatar();
    } else byId<HTMLInputElement>("avatar-file").click();
  }

  private files(): void {
    const input = byId<HTMLInputElement>("avatar-file");
    input.addEventListener("change", () => {
      if (input.files?.[0]) void this.loadAvatar(input.files[0]);
      input.value = "";
    });
    const drop = byId("drop");
    window.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.hidden = !event.dataTransfer?.types.includes("Files");
    });
    window.addEventListener("dragleave", (event) => event.relatedTarget || (drop.hidden = true));
    window.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.hidden = true;
      const file = event.dataTransfer?.files[0];
      if (file) void this.loadAvatar(file);
    });
  }

  private async loadAvatar(file: File): Promise<void> {
    if (!this.page.model) return toast("There is no face model yet");
    if (file.size > LARGEST_AVATAR) return toast(`${file.name} is larger than ${LARGEST_AVATAR / 1e6} MB`);
    try {
      const { Avatar } = await import("./avatar");
      const avatar = await Avatar.load(file, this.page.model.blendshapeNames);
      this.page.setAvatar(avatar);
      toast(`${file.name}: ${avatar.driven} of ${this.page.model.blendshapeNames.length} blendshapes move it`);
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error));
    }
    this.showAvatar();
  }

  private showAvatar(): void {
    const worn = this.page.currentAvatar !== null;
    byId("avatar").querySelector("span")!.textContent = worn ? "Remove avatar" : "Avatar…";
    byId("avatar").setAttribute("aria-pressed", String(worn));
  }

  private async askToken(): Promise<void> {
    const input = byId<HTMLInputElement>("token-input");
    input.value = "";
    if (!(await ask("token")) || !input.value) return;
    sessionStorage.setItem("face_expr token", input.value);
    this.page.setToken(input.value);
  }
}
