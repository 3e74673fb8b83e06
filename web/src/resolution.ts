// Adapts the resolution of the face to the machine: lower if frames are slow, higher again if they are fast.

const MIN_RATIO = 0.5, MAX_RATIO = 2, STEP = 0.8; // drawn pixels per CSS pixel
const SOFTWARE_START = 0.75, SOFTWARE_MAX = 1; // without a GPU
const SLOW = 1 / 22, FAST = 1 / 27; // seconds between two frames
const SLOW_FRAMES = 12; // consecutive
const FIRST_WAIT = 5, MAX_WAIT = 160; // seconds of fast frames before the resolution is raised

export class Resolution {
  /** Drawn pixels per CSS pixel; at most those of the screen. */
  ratio: number;
  private max: number;
  private slowFrames = 0;
  private fastSeconds = 0;
  private wait = FIRST_WAIT;
  private raised = false;

  /** `screen`: device pixels per CSS pixel. */
  constructor(software: boolean, private screen: () => number) {
    this.max = software ? SOFTWARE_MAX : MAX_RATIO;
    this.ratio = software ? SOFTWARE_START : this.max;
  }

  private get limit(): number {
    return Math.min(this.max, this.screen());
  }

  /** Adds a frame, `seconds` after the last one; returns whether the ratio has changed. */
  add(seconds: number): boolean {
    this.slowFrames = seconds > SLOW ? this.slowFrames + 1 : 0;
    this.fastSeconds = seconds > SLOW ? 0 : seconds < FAST ? this.fastSeconds + seconds : this.fastSeconds;
    if (this.slowFrames >= SLOW_FRAMES && this.ratio > MIN_RATIO) return this.lower();
    if (this.fastSeconds >= this.wait && this.ratio < this.limit) return this.raise();
    return false;
  }

  private lower(): boolean {
    // The machine is too slow for what was tried: the next attempt comes later.
    if (this.raised) this.wait = Math.min(MAX_WAIT, 2 * this.wait);
    this.raised = false;
    this.ratio = Math.max(MIN_RATIO, STEP * Math.min(this.ratio, this.limit));
    this.slowFrames = this.fastSeconds = 0;
    return true;
  }

  private raise(): boolean {
    this.raised = true;
    this.ratio = Math.min(this.limit, this.ratio / STEP);
    this.slowFrames = this.fastSeconds = 0;
    return true;
  }
}
