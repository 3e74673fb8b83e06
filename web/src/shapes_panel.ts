// One row per blendshape: a bar that follows the face, a slider for manual control, a name that selects its history.

import { byId, make } from "./dom";

const GROUPS: [string, RegExp][] = [
  ["Mouth", /^mouth/],
  ["Jaw and tongue", /^(jaw|tongue)/],
  ["Eyes", /^eye/],
  ["Brows", /^brow/],
  ["Cheeks and nose", /^(cheek|nose)/],
  ["Other", /./],
];
const FIRST_SELECTED = ["jawOpen", "mouthSmileLeft", "eyeBlinkLeft"];
/** CSS variables of the line colors of the history. */
const LINE_COLORS = ["--line-1", "--line-2", "--line-3", "--line-4", "--line-5", "--line-6"];

interface Row {
  index: number;
  slider: HTMLInputElement;
  output: HTMLOutputElement;
  button: HTMLButtonElement;
  shown: number;
}

/** jawOpen -> Jaw open; eyeBlinkLeft -> Eye blink L; jawLeft, a direction and not a side, -> Jaw left. */
export function readable(name: string): string {
  const words = name.replace(/([A-Z])/g, " $1").toLowerCase().replace(/( \w+) left$/, "$1 L").replace(/( \w+) right$/, "$1 R");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export class ShapesPanel {
  /** Index of a blendshape -> CSS variable of its line color. */
  readonly selected = new Map<number, string>();
  private rows: Row[] = [];

  constructor(
    names: string[],
    private onSlide: (index: number, value: number) => void,
    private onSelect: (selected: Map<number, string>) => void,
  ) {
    const place = byId("shapes");
    place.replaceChildren();
    const remaining = new Set(names.keys());
    for (const [title, pattern] of GROUPS) {
      const members = [...remaining].filter((k) => pattern.test(names[k]));
      members.forEach((k) => remaining.delete(k));
      if (members.length) place.append(make("h3", {}, title), ...members.map((k) => this.makeRow(k, names[k])));
    }
    FIRST_SELECTED.map((name) => names.indexOf(name)).filter((k) => k >= 0).forEach((k) => this.toggle(k));
  }

  private makeRow(index: number, name: string): HTMLElement {
    const button = make("button", { type: "button", title: `${name}: show its history` }, readable(name));
    const slider = make("input", { type: "range", min: "0", max: "1", step: "0.01", value: "0" });
    slider.dataset.name = name;
    slider.setAttribute("aria-label", name);
    const output = make("output", {}, "0");
    const row: Row = { index, slider, output, button, shown: -1 };
    button.addEventListener("click", () => this.toggle(index));
    slider.addEventListener("input", () => this.onSlide(index, Number(slider.value)));
    button.setAttribute("aria-pressed", "false");
    this.rows.push(row);
    return make("div", { className: "shape" }, button, slider, output);
  }

  private toggle(index: number): void {
    const row = this.rows.find((one) => one.index === index)!;
    if (!this.selected.delete(index)) {
      const taken = new Set(this.selected.values());
      const color = LINE_COLORS.find((one) => !taken.has(one));
      if (!color) return; // all colors are in use
      this.selected.set(index, color);
    }
    const color = this.selected.get(index);
    row.button.setAttribute("aria-pressed", String(color !== undefined));
    row.button.style.setProperty("--color", color ? `var(${color})` : "inherit");
    this.onSelect(this.selected);
  }

  /** Shows values in 0..1; updates only changed rows. */
  show(values: ArrayLike<number>): void {
    for (const row of this.rows) {
      const value = Math.round((values[row.index] ?? 0) * 100);
      if (value === row.shown) continue;
      row.shown = value;
      row.slider.value = String(value / 100);
      row.slider.style.setProperty("--v", String(value / 100));
      row.output.textContent = String(value);
    }
  }
}
