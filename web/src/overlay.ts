// The page as a browser source of OBS and other programs: /?overlay shows only the face, on a transparent background.

import { choose } from "./dom";
import type { AvatarChooser } from "./avatar_chooser";
import type { Page } from "./page";

/** Options of the URL: view, mode, avatar, and the flags mirror and picture. */
export function applyUrlOptions(page: Page, avatars: AvatarChooser): void {
  const options = new URLSearchParams(location.search);
  const values = (name: string): string[] => (
    [...document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`)].map((input) => input.value)
  );
  for (const [option, group] of [["view", "viewpoint"], ["mode", "mode"]]) {
    const value = options.get(option);
    if (value && values(group).includes(value)) choose(group, value);
  }
  if (options.has("mirror")) page.setMirrored(true);
  const avatar = options.get("avatar");
  if (avatar) avatars.useBuiltIn(avatar);
  page.stage.setTransparent(options.has("overlay") && !options.has("picture"));
}
