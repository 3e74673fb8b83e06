// Choosing an avatar: the button, the file that it opens, and files that are dropped onto the page.

import { byId, setText, toast } from "./dom";
import type { Page } from "./page";

const LARGEST = 200e6; // bytes

export class AvatarChooser {
  constructor(private page: Page) {
    const input = byId<HTMLInputElement>("avatar-file");
    byId("avatar").addEventListener("click", () => (page.avatar ? this.wear(null) : input.click()));
    input.addEventListener("change", () => {
      if (input.files?.[0]) void this.load(input.files[0]);
      input.value = "";
    });
    this.acceptDrops(byId("drop"));
  }

  private acceptDrops(sign: HTMLElement): void {
    window.addEventListener("dragover", (event) => {
      event.preventDefault();
      sign.hidden = !event.dataTransfer?.types.includes("Files");
    });
    window.addEventListener("dragleave", (event) => event.relatedTarget || (sign.hidden = true));
    window.addEventListener("drop", (event) => {
      event.preventDefault();
      sign.hidden = true;
      const file = event.dataTransfer?.files[0];
      if (file) void this.load(file);
    });
  }

  private async load(file: File): Promise<void> {
    const { model } = this.page;
    if (!model) return toast("There is no face model yet");
    if (file.size > LARGEST) return toast(`${file.name} is larger than ${LARGEST / 1e6} MB`);
    try {
      const { Avatar } = await import("./avatar");
      const avatar = await Avatar.load(file, model.blendshapeNames);
      this.wear(avatar);
      toast(`${file.name}: ${avatar.summary}`);
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error));
    }
  }

  private wear(avatar: Page["avatar"]): void {
    this.page.setAvatar(avatar);
    setText(byId("avatar").querySelector("span")!, avatar ? "Remove avatar" : "Avatar…");
    byId("avatar").setAttribute("aria-pressed", String(avatar !== null));
  }
}
