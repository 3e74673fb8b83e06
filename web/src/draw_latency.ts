// Time from the image stamp until the face is drawn: until the GPU, or its software replacement, has finished the frame.

import { Recent } from "./meters";

interface Pending {
  sync: WebGLSync;
  /** Age of the frame's image: now minus its stamp, seconds. */
  age: () => number | null;
  /** Delay of the smoothing, seconds. */
  lag: number;
}

const MAX_PENDING = 8;
const MAX_AGE = 10; // seconds; older stamps come from a recording

export class DrawLatency {
  private recent = new Recent();
  private pending: Pending[] = [];

  constructor(private context: WebGL2RenderingContext) {}

  /** A frame has been submitted that shows new values. */
  submitted(age: () => number | null, lag: number): void {
    if (this.pending.length >= MAX_PENDING) return;
    const sync = this.context.fenceSync(this.context.SYNC_GPU_COMMANDS_COMPLETE, 0);
    if (sync) this.pending.push({ sync, age, lag });
  }

  /** Records the submitted frames that are finished; call once per animation frame. */
  poll(): void {
    while (this.pending.length) {
      const { sync, age, lag } = this.pending[0];
      if (this.context.getSyncParameter(sync, this.context.SYNC_STATUS) !== this.context.SIGNALED) return;
      this.context.deleteSync(sync);
      this.pending.shift();
      const seconds = age();
      if (seconds !== null && Math.abs(seconds) < MAX_AGE) this.recent.add((seconds + lag) * 1000);
    }
  }

  clear(): void {
    this.recent.clear();
    for (const { sync } of this.pending) this.context.deleteSync(sync);
    this.pending = [];
  }

  /** Milliseconds; NaN before the first value. */
  get median(): number {
    return this.recent.median;
  }
}
