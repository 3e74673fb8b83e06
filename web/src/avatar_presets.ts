// Expressions of avatars that are not ARKit's: VRM presets and common morph targets, computed from the blendshapes.

/** Returns the value of a blendshape, 0..1. */
export type Values = (name: string) => number;

export interface Preset {
  /** Name of the VRM preset. */
  vrm: string;
  /** Plain names of morph targets with the same meaning in files without VRM presets. */
  morphs: string[];
  /** Blendshapes that it stands for: it is not used if the avatar has one of them. */
  replaces: string[];
  value: (values: Values) => number;
}

const clip = (value: number): number => Math.min(1, Math.max(0, value));
const sides = (values: Values, name: string): number => (values(`${name}Left`) + values(`${name}Right`)) / 2;

/** The vowels A I U E O, whose sum is at most 1; the same formulas as in docs/avatars.md. */
function vowels(values: Values): number[] {
  const jaw = values("jawOpen"), pucker = values("mouthPucker"), funnel = values("mouthFunnel");
  const raw = [
    1.5 * jaw - funnel - 0.5 * pucker,
    sides(values, "mouthStretch") - 0.5 * jaw,
    pucker - 0.5 * funnel,
    0.7 * sides(values, "mouthLowerDown") + 0.3 * sides(values, "mouthUpperUp") - 0.5 * jaw,
    funnel - 0.3 * pucker,
  ].map(clip);
  const sum = raw.reduce((a, b) => a + b, 0);
  return raw.map((value) => value / Math.max(1, sum));
}

const vowel = (k: number) => (values: Values): number => vowels(values)[k];

export const PRESETS: Preset[] = [
  { vrm: "blinkLeft", morphs: ["blinkleft", "eyecloseleft", "eyeclosedleft"], replaces: ["eyeBlinkLeft"], value: (v) => v("eyeBlinkLeft") },
  { vrm: "blinkRight", morphs: ["blinkright", "eyecloseright", "eyeclosedright"], replaces: ["eyeBlinkRight"], value: (v) => v("eyeBlinkRight") },
  { vrm: "blink", morphs: ["blink", "eyesclosed", "eyesclose", "eyeclose"], replaces: ["eyeBlinkLeft", "eyeBlinkRight"], value: (v) => sides(v, "eyeBlink") },
  { vrm: "aa", morphs: ["mouthopen", "visemeaa", "vrcvaa"], replaces: ["jawOpen"], value: vowel(0) },
  { vrm: "ih", morphs: ["visemei", "visemeih", "vrcvih"], replaces: ["mouthStretchLeft", "mouthStretchRight"], value: vowel(1) },
  { vrm: "ou", morphs: ["visemeu", "visemeou", "vrcvou"], replaces: ["mouthPucker"], value: vowel(2) },
  { vrm: "ee", morphs: ["visemee", "vrcve"], replaces: ["mouthLowerDownLeft", "mouthLowerDownRight"], value: vowel(3) },
  { vrm: "oh", morphs: ["visemeo", "visemeoh", "vrcvoh"], replaces: ["mouthFunnel"], value: vowel(4) },
  { vrm: "happy", morphs: ["mouthsmile", "smile", "joy", "happy"], replaces: ["mouthSmileLeft", "mouthSmileRight"], value: (v) => sides(v, "mouthSmile") },
  { vrm: "angry", morphs: ["angry"], replaces: ["browDownLeft", "browDownRight"], value: (v) => 0.8 * sides(v, "browDown") + 0.2 * sides(v, "noseSneer") },
  { vrm: "sad", morphs: ["sorrow", "sad"], replaces: ["mouthFrownLeft", "mouthFrownRight"], value: (v) => 0.6 * sides(v, "mouthFrown") + 0.4 * v("browInnerUp") },
  { vrm: "surprised", morphs: ["surprised"], replaces: ["browOuterUpLeft", "browOuterUpRight"], value: (v) => 0.5 * sides(v, "browOuterUp") + 0.5 * sides(v, "eyeWide") },
];

/** The presets to use: those that the avatar has and whose blendshapes it lacks; `blink` only without its two sides. */
export function usedPresets(has: (preset: Preset) => boolean, driven: Set<string>): Preset[] {
  const candidates = PRESETS.filter((preset) => has(preset) && !preset.replaces.some((name) => driven.has(name)));
  const oneSided = candidates.some((preset) => preset.vrm === "blinkLeft" || preset.vrm === "blinkRight");
  return candidates.filter((preset) => preset.vrm !== "blink" || !oneSided);
}

// A tracked eye that is shut has a blink of 0.7 or more, but the lids of an avatar meet at 1.
const SHUT = 0.7, OPEN = 0.25;

/** The blink of an avatar: 1 from SHUT on, unchanged below OPEN. */
export function lidClosure(blink: number): number {
  const t = clip((blink - OPEN) / (SHUT - OPEN));
  return Math.min(1, blink + (1 - SHUT) * t * t * (3 - 2 * t));
}

/** The values with lids that close: the other shapes of a closed eye's lids would open it or make them overlap. */
export function withClosedLids(values: Values): Values {
  const closure = { Left: lidClosure(values("eyeBlinkLeft")), Right: lidClosure(values("eyeBlinkRight")) };
  return (name) => {
    const parts = /^eye(\w+)(Left|Right)$/.exec(name);
    if (!parts) return values(name);
    const closed = closure[parts[2] as "Left" | "Right"];
    return parts[1] === "Blink" ? closed : (1 - closed) * values(name);
  };
}
