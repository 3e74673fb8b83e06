// Actions of buttons and keys.

import { ask, byId, choose, chosen, onChoice, setText } from "./dom";
import type { RenderMode } from "./face_view";
import type { Page, Source } from "./page";
import type { Sources } from "./sources";
import type { Viewpoint } from "./stage";
import type { Theme } from "./theme";

export class Controls {
  constructor(private page: Page, private sources: Sources, private theme: Theme) {
    onChoice<RenderMode>("mode", (mode) => page.setRenderMode(mode));
    onChoice<Viewpoint>("viewpoint", (viewpoint) => page.stage.setViewpoint(viewpoint));
    onChoice<Source>("source", (source) => void sources.set(source));
    this.buttons();
    window.addEventListener("keydown", (event) => this.key(event));
    page.onTokenRequired = () => void this.askToken();
  }

  private buttons(): void {
    const { page } = this;
    const actions: Record<string, () => void> = {
      theme: () => this.theme.toggle(),
      help: () => void ask("help-dialog"),
      mirror: () => page.setMirrored(!page.mirrored),
      reset: () => this.page.stage.resetView(),
      connection: () => this.page.state === "unauthorized" && void this.askToken(),
      "reset-sliders": () => this.sources.resetSliders(),
      "mouth-button": () => this.sources.moveMouth(),
    };
    for (const [id, act] of Object.entries(actions)) byId(id).addEventListener("click", act);
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const typing = target instanceof HTMLSelectElement || (target instanceof HTMLInputElement && target.type !== "range" && target.type !== "radio");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const actions: Record<string, () => void> = {
      "1": () => choose("mode", "mesh"),
      "2": () => choose("mode", "wireframe"),
      "3": () => choose("mode", "landmarks"),
      "4": () => choose("mode", "texture"),
      "0": () => this.page.stage.resetView(),
      c: () => choose("viewpoint", chosen("viewpoint") === "portrait" ? "camera" : "portrait"),
      x: () => this.page.setMirrored(!this.page.mirrored),
      b: () => byId("neutral").click(),
      m: () => choose("source", this.page.source === "manual" ? "stream" : "manual"),
      o: () => this.sources.moveMouth(),
      r: () => this.page.recorder.toggle(),
      n: () => this.page.crowd?.next(),
      t: () => this.theme.toggle(),
      "?": () => void ask("help-dialog"),
    };
    const act = actions[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }

  private async askToken(): Promise<void> {
    const input = byId<HTMLInputElement>("token-input");
    input.value = "";
    const rejected = this.page.token ? "The server rejected the token. " : "";
    setText(byId("token-text"), `${rejected}Enter the token with which the server was started.`);
    if ((await ask("token")) && input.value) this.page.setToken(input.value);
  }
}
