// Finds ARKit's blendshapes in the names of morph targets and VRM expressions, with or without prefixes and suffixes.

/** The names of one mesh; `owner`: names of the mesh and of its node, which exporters prepend. */
export interface NameGroup {
  owners: string[];
  names: string[];
}

// Blendshapes that other conventions split into sides.
const SPLIT: Record<string, string[]> = {
  browInnerUp: ["browInnerUpLeft", "browInnerUpRight"],
  cheekPuff: ["cheekPuffLeft", "cheekPuffRight"],
};
const MIN_SHARED = 3; // names with the same prefix and suffix; fewer may be a coincidence, such as mouthClosed

/** eyeBlink_L, EyeBlinkLeft, A14_Eye_Blink_Left and EYE-BLINK-LEFT are all eyeblinkleft. */
export function plainName(name: string): string {
  return name
    .replace(/(^|[^A-Za-z])A\d+_/g, "$1")
    .replace(/([^A-Za-z])l(?![A-Za-z])/gi, "$1Left")
    .replace(/([^A-Za-z])r(?![A-Za-z])/gi, "$1Right")
    .replace(/([a-z])L(?![A-Za-z])/g, "$1Left")
    .replace(/([a-z])R(?![A-Za-z])/g, "$1Right")
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "");
}

interface Match {
  index: number;
  before: string;
  after: string;
  /** The prefix ends with a period or colon, as in blendShape1.jawOpen. */
  separated: boolean;
}

/** For each name the index of its blendshape in `arkit`, or -1. */
export function matchNames(groups: NameGroup[], arkit: string[]): number[][] {
  const known = plainNames(arkit);
  const matches = groups.map(({ names }) => names.map((name) => longestMatch(name, known)));
  const shared = new Map<string, Set<number>>();
  for (const match of matches.flat()) {
    if (!match) continue;
    const frame = `${match.before}|${match.after}`;
    shared.set(frame, (shared.get(frame) ?? new Set()).add(match.index));
  }
  return groups.map(({ owners }, group) => matches[group].map((match) => {
    if (!match) return -1;
    const { before, after, index } = match;
    const prefixed = before === "" || match.separated || owners.some((owner) => owner && plainName(owner) === before);
    if (prefixed && after === "") return index;
    return shared.get(`${before}|${after}`)!.size >= MIN_SHARED ? index : -1;
  }));
}

/** Plain name -> index of the blendshape, the longest names first. */
function plainNames(arkit: string[]): [string, number][] {
  const known = arkit.flatMap((name, index): [string, number][] => (
    [name, ...(SPLIT[name] ?? [])].map((spelling) => [plainName(spelling), index])
  ));
  return known.sort(([a], [b]) => b.length - a.length);
}

function longestMatch(name: string, known: [string, number][]): Match | null {
  const plain = plainName(name);
  const last = plainName(name.split(/[.:]/).at(-1)!);
  for (const [spelling, index] of known) {
    const at = plain.lastIndexOf(spelling);
    if (at < 0) continue;
    const separated = last.startsWith(spelling) && plain.endsWith(last);
    return { index, before: plain.slice(0, at), after: plain.slice(at + spelling.length), separated };
  }
  return null;
}
