// The camera picture: beside the face with boxes, behind it, and as its texture. From the server or the webcam.

import { Color, SRGBColorSpace, Texture } from "three";
import type { StreamFrame } from "./codec";
import { byId, cssColor } from "./dom";

const PREVIEW_WIDTH = 480; // pixels

export interface Picture {
  bitmap: ImageBitmap;
  /** Stamp of the frame that it belongs to, seconds. */
  stamp: number;
}

export class PictureView {
  /** Null until the first picture. */
  texture: Texture | null = null;
  stamp = 0;
  private canvas = byId<HTMLCanvasElement>("picture");
  private bitmap: ImageBitmap | null = null;
  private decoding = false;
  private decodedAt = -Infinity;
  private drawn = "";
  private mirrored = false; // in the preview
  private textureSize = "";

  /** `minInterval`: milliseconds between two decoded pictures of the server. */
  constructor(private minInterval: number) {}

  /** Decodes a stamp and a JPEG from the server; pictures received while decoding are dropped. */
  async receive(data: ArrayBuffer): Promise<void> {
    const now = performance.now();
    if (this.decoding || data.byteLength <= 8 || now - this.decodedAt < this.minInterval) return;
    this.decoding = true;
    this.decodedAt = now;
    try {
      const bitmap = await createImageBitmap(new Blob([new Uint8Array(data, 8)], { type: "image/jpeg" }));
      this.show({ bitmap, stamp: new DataView(data).getFloat64(0, true) });
    } catch {
      // A damaged picture is ignored.
    } finally {
      this.decoding = false;
    }
  }

  show(picture: Picture): void {
    this.bitmap?.close();
    this.bitmap = picture.bitmap;
    this.stamp = picture.stamp;
    const { width, height } = picture.bitmap;
    const size = `${width} ${height}`;
    if (!this.texture || this.textureSize !== size) {
      this.textureSize = size;
      this.texture?.dispose(); // the size of a GPU texture is fixed
      this.texture = new Texture();
      this.texture.flipY = false;
      this.texture.generateMipmaps = false;
    }
    this.texture.image = picture.bitmap;
    this.texture.needsUpdate = true;
    byId("no-picture").hidden = true;
  }

  clear(): void {
    this.bitmap?.close();
    this.bitmap = null;
    this.texture?.dispose();
    this.texture = null;
    this.drawn = "";
    this.canvas.width = this.canvas.width; // clears it
    byId("no-picture").hidden = false;
  }

  /** Linear average color of the cheeks and the nose of a face in the preview; null if unknown. */
  faceTone(frame: StreamFrame, id: number): Color | null {
    const face = frame.faces.find((one) => one.id === id);
    if (!face || !this.drawn || !frame.width) return null;
    const scale = this.canvas.width / frame.width;
    const [x, y, w, h] = face.roi.map((value) => value * scale);
    const left = this.mirrored ? this.canvas.width - x - 0.7 * w : x + 0.3 * w;
    const size = [0.4 * w, 0.22 * h].map((length) => Math.max(1, Math.round(length)));
    const { data } = this.canvas.getContext("2d")!.getImageData(Math.round(left), Math.round(y + 0.45 * h), size[0], size[1]);
    const sum = [0, 0, 0];
    for (let k = 0; k < data.length; k++) if (k % 4 < 3) sum[k % 4] += data[k];
    const count = (255 * data.length) / 4;
    return new Color().setRGB(sum[0] / count, sum[1] / count, sum[2] / count, SRGBColorSpace);
  }

  /** Draws the preview with a box around each face. */
  draw(frame: StreamFrame | null, selected: number | null, mirrored: boolean): void {
    const drawn = `${this.stamp} ${frame?.sequence} ${selected} ${mirrored}`;
    if (!this.bitmap || drawn === this.drawn) return;
    this.drawn = drawn;
    this.mirrored = mirrored;
    const small = Math.min(1, PREVIEW_WIDTH / this.bitmap.width);
    const width = Math.round(small * this.bitmap.width), height = Math.round(small * this.bitmap.height);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const ink = this.canvas.getContext("2d", { willReadFrequently: true })!;
    ink.setTransform(mirrored ? -1 : 1, 0, 0, 1, mirrored ? width : 0, 0);
    ink.drawImage(this.bitmap, 0, 0, width, height);
    if (!frame?.width) return;
    const scale = width / frame.width;
    ink.lineWidth = Math.max(1.5, width / 200);
    for (const face of frame.faces) {
      const [x, y, w, h] = face.roi.map((value) => value * scale);
      ink.strokeStyle = face.id === selected ? cssColor("--accent") : "rgba(255, 255, 255, 0.65)";
      ink.beginPath();
      ink.roundRect(x, y, w, h, 8 * (width / 640));
      ink.stroke();
    }
  }
}
