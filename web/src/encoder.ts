// Encodes pictures as JPEG in a worker, or in the page where workers have no canvas.

const QUALITY = 0.82;

export interface Encoded {
  jpeg: ArrayBuffer;
  bitmap: ImageBitmap;
}

export class Encoder {
  private worker: Worker | null = null;
  private waiting: ((encoded: Encoded | null) => void)[] = []; // oldest first

  constructor() {
    if (typeof OffscreenCanvas === "undefined") return;
    this.worker = new Worker(new URL("./camera_encoder.ts", import.meta.url));
    this.worker.onmessage = ({ data }: MessageEvent<Encoded>) => this.waiting.shift()?.(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.worker = null; // encode in the page from now on
      this.cancel();
    };
  }

  /** Encodes a picture, which it takes over, after those that came before; null if that failed. */
  encode(bitmap: ImageBitmap): Promise<Encoded | null> {
    const { worker } = this;
    if (!worker) return encodeHere(bitmap);
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      worker.postMessage(bitmap, [bitmap]);
    });
  }

  private cancel(): void {
    this.waiting.splice(0).forEach((resolve) => resolve(null));
  }

  close(): void {
    this.worker?.terminate();
    this.cancel();
  }
}

async function encodeHere(bitmap: ImageBitmap): Promise<Encoded | null> {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d")!.drawImage(bitmap, 0, 0);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  if (blob) return { jpeg: await blob.arrayBuffer(), bitmap };
  bitmap.close();
  return null;
}
