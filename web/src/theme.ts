// Dark or light theme: the device setting until the user chooses. public/theme.js applies it before the first paint.

type Name = "dark" | "light";

const KEY = "face_expr theme"; // in localStorage

export class Theme {
  private name: Name;

  constructor() {
    const light = window.matchMedia("(prefers-color-scheme: light)");
    const preferred = (): Name => (light.matches ? "light" : "dark");
    const saved = localStorage.getItem(KEY);
    this.name = saved === "light" || saved === "dark" ? saved : preferred();
    this.show();
    light.addEventListener("change", () => {
      if (localStorage.getItem(KEY)) return;
      this.name = preferred();
      this.show();
    });
  }

  toggle(): void {
    this.name = this.name === "dark" ? "light" : "dark";
    localStorage.setItem(KEY, this.name);
    this.show();
  }

  private show(): void {
    document.documentElement.dataset.theme = this.name;
    document.querySelector<HTMLMetaElement>('meta[name="color-scheme"]')!.content = this.name;
  }
}
