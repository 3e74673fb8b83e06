// Medians and rates for the readouts.

/** The last values of a series. */
export class Recent {
  private values: number[] = [];

  constructor(private count = 120) {}

  add(value: number): void {
    this.values.push(value);
    if (this.values.length > this.count) this.values.shift();
  }

  clear(): void {
    this.values = [];
  }

  /** NaN before the first value. */
  get median(): number {
    const sorted = [...this.values].sort((a, b) => a - b);
    return sorted.length ? sorted[sorted.length >> 1] : NaN;
  }
}

/** Events per second, over the last 1.5 seconds. */
export class Rate {
  private times: number[] = [];

  tick(seconds: number): void {
    this.times.push(seconds);
  }

  at(seconds: number): number {
    while (this.times.length && this.times[0] < seconds - 1.5) this.times.shift();
    return this.times.length / 1.5;
  }
}
