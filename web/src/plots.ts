// Plots: history of the selected blendshapes, and valence and arousal.

import { byId, cssColor, make, pen } from "./dom";
import { readable } from "./shapes_panel";

const SECONDS = 8;

export class History {
  private canvas = byId<HTMLCanvasElement>("history");
  private times: number[] = [];
  private values: Float32Array[] = [];
  private drawn: string | null = null; // what an empty plot shows

  add(time: number, values: ArrayLike<number>): void {
    this.times.push(time);
    this.values.push(Float32Array.from(values));
    while (this.times[0] < time - SECONDS - 0.5) {
      this.times.shift();
      this.values.shift();
    }
  }

  /** Plots the last seconds before `now`; `selected`: index of a blendshape -> CSS variable of its color. */
  draw(now: number, selected: Map<number, string>): void {
    const visible = this.times.length > 0 && this.times.at(-1)! > now - SECONDS;
    const state = visible ? "" : `${cssColor("--line")} ${[...selected.keys()]}`;
    if (!visible && state === this.drawn) return; // it would not change
    this.drawn = state;
    const { pen: ink, width, height } = pen(this.canvas);
    ink.strokeStyle = cssColor("--line");
    ink.lineWidth = 1;
    for (const level of [0, 0.5, 1]) {
      const y = Math.round(3 + (1 - level) * (height - 6)) + 0.5;
      ink.beginPath();
      ink.moveTo(0, y);
      ink.lineTo(width, y);
      ink.stroke();
    }
    ink.lineWidth = 2;
    ink.lineJoin = "round";
    for (const [index, color] of selected) {
      ink.strokeStyle = cssColor(color);
      ink.beginPath();
      this.times.forEach((time, k) => {
        ink.lineTo(width * (1 - (now - time) / SECONDS), 3 + (1 - this.values[k][index]) * (height - 6));
      });
      ink.stroke();
    }
  }

  legend(names: string[], selected: Map<number, string>): void {
    byId("legend").replaceChildren(...[...selected].map(([index, color]) => {
      const mark = make("i");
      mark.style.setProperty("--color", `var(${color})`);
      return make("span", {}, mark, readable(names[index]));
    }));
  }
}

let drawnAffect = "";

/** Valence from left to right, arousal from bottom to top; null without a face. */
export function drawAffect(place: { valence: number; arousal: number } | null): void {
  const state = `${document.documentElement.dataset.theme} ${place?.valence.toFixed(2)} ${place?.arousal.toFixed(2)}`;
  if (state === drawnAffect) return;
  const { pen: ink, width, height } = pen(byId<HTMLCanvasElement>("affect"));
  const radius = Math.min(width, height) / 2 - 2;
  if (radius <= 0) return; // hidden in narrow windows
  drawnAffect = state;
  ink.translate(width / 2, height / 2);
  ink.strokeStyle = cssColor("--line");
  ink.fillStyle = cssColor("--track");
  ink.lineWidth = 1.5;
  ink.beginPath();
  ink.arc(0, 0, radius, 0, 2 * Math.PI);
  ink.fill();
  ink.beginPath();
  ink.moveTo(-radius, 0);
  ink.lineTo(radius, 0);
  ink.moveTo(0, -radius);
  ink.lineTo(0, radius);
  ink.stroke();
  if (!place) return;
  ink.fillStyle = cssColor("--accent");
  ink.beginPath();
  ink.arc(0.9 * radius * place.valence, -0.9 * radius * place.arousal, 7, 0, 2 * Math.PI);
  ink.fill();
}
