// Choosing an avatar: the button with its file dialog, and files dropped onto the page.

import { byId, setText, toast } from "./dom";
import type { Page } from "./page";

const MAX_SIZE = 200e6; // bytes

export class AvatarChooser {
  constructor(private page: Page) {
    const input = byId<HTMLInputElement>("avatar-file");
    byId("avatar").addEventListener("click", () => (page.avatar ? this.use(null) : input.click()));
    input.addEventListener("change", () => {
      if (input.files?.[0]) void this.load(input.files[0]);
      input.value = "";
    });
    this.acceptDrops(byId("drop"));
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
      if (file) void this.load(file);
    });
  }

  private async load(file: File): Promise<void> {
    const { model } = this.page;
    if (!model) return toast("The face model is not loaded yet");
    if (file.size > MAX_SIZE) return toast(`${file.name} exceeds ${MAX_SIZE / 1e6} MB`);
    try {
      const { Avatar } = await import("./avatar");
      const avatar = await Avatar.load(file, model.blendshapeNames);
      this.use(avatar);
      toast(`${file.name}: ${avatar.summary}`);
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
