// Choosing an avatar: the dialog with the built-in ones and a file, and files dropped onto the page.

import { byId, make, setText, toast } from "./dom";
import type { Page } from "./page";

const MAX_SIZE = 200e6; // bytes
/** The built-in avatars in static/avatars: id -> name. */
const BUILT_IN: Record<string, string> = { robot: "Robot", cat: "Cat", alien: "Alien" };

export class AvatarChooser {
  private loads = 0; // counter: another avatar may be chosen while one is loading

  constructor(private page: Page) {
    const input = byId<HTMLInputElement>("avatar-file");
    byId("avatar").addEventListener("click", () => (page.avatar ? this.use(null) : this.open()));
    byId("avatar-choose").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      if (input.files?.[0]) void this.loadFile(input.files[0]);
      input.value = "";
    });
    this.acceptDrops(byId("drop"));
  }

  private open(): void {
    byId("gallery").replaceChildren(...Object.entries(BUILT_IN).map(([id, name]) => {
      const picture = make("img", { src: `avatars/${id}.webp`, alt: "", width: 120, height: 120 });
      const button = make("button", { type: "submit", value: id }, picture, make("span", {}, name));
      button.addEventListener("click", () => this.useBuiltIn(id));
      return button;
    }));
    byId<HTMLDialogElement>("avatar-dialog").showModal();
  }

  /** Loads a built-in avatar. */
  useBuiltIn(id: string): void {
    if (!(id in BUILT_IN)) return toast(`Expected one of the avatars ${Object.keys(BUILT_IN).join(", ")}, got ${id}`);
    void this.load(BUILT_IN[id], async () => {
      const answer = await fetch(`avatars/${id}.glb`);
      if (!answer.ok) throw new Error(`The avatar cannot be loaded: ${answer.status} ${answer.statusText}`);
      return answer.arrayBuffer();
    });
  }

  private acceptDrops(overlay: HTMLElement): void {
    window.addEventListener("dragover", (event) => {
      event.preventDefault();
      overlay.hidden = !event.dataTransfer?.types.includes("Files");
    });
    window.addEventListener("dragleave", (event) => event.relatedTarget || (overlay.hidden = true));
    window.addEventListener("drop", (event) => {
      event.preventDefault();
      overlay.hidden = true;
      const file = event.dataTransfer?.files[0];
      if (file) void this.loadFile(file);
    });
  }

  private async loadFile(file: File): Promise<void> {
    byId<HTMLDialogElement>("avatar-dialog").close();
    if (file.size > MAX_SIZE) return toast(`${file.name} exceeds ${MAX_SIZE / 1e6} MB`);
    await this.load(file.name, () => file.arrayBuffer());
  }

  private async load(name: string, read: () => Promise<ArrayBuffer>): Promise<void> {
    const load = ++this.loads;
    const model = await this.page.modelLoaded;
    try {
      const [{ Avatar }, data] = await Promise.all([import("./avatar"), read()]);
      const avatar = await Avatar.load(name, data, model.blendshapeNames, this.page.stage.renderer);
      if (load !== this.loads) return avatar.dispose();
      this.use(avatar);
      toast(`${name}: ${avatar.summary}`);
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error));
    }
  }

  private use(avatar: Page["avatar"]): void {
    this.page.setAvatar(avatar);
    setText(byId("avatar").querySelector("span")!, avatar ? "Remove avatar" : "Avatar…");
    byId("avatar").setAttribute("aria-pressed", String(avatar !== null));
  }
}
