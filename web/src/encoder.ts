// Encodes pictures as JPEG in a worker, or in the page where workers have no canvas.

const QUALITY = 0.82;

export interface Encoded {
  jpeg: ArrayBuffer;
  bitmap: ImageBitmap;
}

export class Encoder {
  private worker: Worker | null = null;
  private resolve: ((encoded: Encoded | null) => void) | null = null;

  constructor() {
    if (typeof OffscreenCanvas === "undefined") return;
    this.worker = new Worker(new URL("./camera_encoder.ts", import.meta.url));
    this.worker.onmessage = ({ data }: MessageEvent<Encoded>) => this.finish(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.worker = null; // encode in the page from now on
      this.finish(null);
    };
  }

  /** Encodes one picture, which it takes over; null if that failed. Call again only after the result. */
  encode(bitmap: ImageBitmap): Promise<Encoded | null> {
    const { worker } = this;
    if (!worker) return encodeHere(bitmap);
    return new Promise((resolve) => {
      this.resolve = resolve;
      worker.postMessage(bitmap, [bitmap]);
    });
  }

  private finish(encoded: Encoded | null): void {
    this.resolve?.(encoded);
    this.resolve = null;
  }

  close(): void {
    this.worker?.terminate();
    this.finish(null);
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
