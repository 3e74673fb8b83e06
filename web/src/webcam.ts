// The device camera as a source: sends one JPEG to the server, waits for its answer, then sends the next.

import { decodeFrame, type StreamFrame } from "./codec";
import { pageSeconds, socketUrl } from "./connection";

const WIDTH = 640;
const QUALITY = 0.82;

export class Webcam {
  private video = document.createElement("video");
  private canvas = document.createElement("canvas");
  private stream: MediaStream | null = null;
  private socket: WebSocket | null = null;
  private takenAt = 0;
  private waiting: ImageBitmap | null = null;

  /** `onFrame` receives each answer with its picture; `onEnd` the reason if the connection ends. */
  constructor(
    private token: string,
    private onFrame: (frame: StreamFrame, picture: ImageBitmap) => void,
    private onEnd: (reason: string) => void,
  ) {}

  /** Throws the errors of getUserMedia: no camera, or no permission. */
  async start(): Promise<void> {
    if (!navigator.mediaDevices) throw new Error("browsers allow camera access only for https:// pages and for localhost");
    this.stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 1280 }, frameRate: { ideal: 30 }, facingMode: "user" }, audio: false,
    });
    this.video.srcObject = this.stream;
    this.video.muted = this.video.playsInline = true;
    await this.video.play();
    this.socket = new WebSocket(socketUrl("ws/infer", this.token));
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => void this.send();
    this.socket.onmessage = (event) => this.answer(event.data);
    this.socket.onclose = ({ reason }) => {
      if (!this.stream) return;
      this.stop();
      this.onEnd(reason || "the server accepts no images; it may be busy with other cameras");
    };
  }

  private async send(): Promise<void> {
    const { videoWidth, videoHeight } = this.video;
    if (!this.stream || !videoWidth) return;
    const scale = Math.min(1, WIDTH / videoWidth);
    Object.assign(this.canvas, { width: Math.round(scale * videoWidth), height: Math.round(scale * videoHeight) });
    this.canvas.getContext("2d")!.drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    this.takenAt = pageSeconds();
    this.waiting = await createImageBitmap(this.canvas);
    this.canvas.toBlob((jpeg) => {
      if (!jpeg) this.next(); // encoding failed
      else if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(jpeg);
    }, "image/jpeg", QUALITY);
  }

  private answer(data: string | ArrayBuffer): void {
    // A text message is an error for this picture; the next one may succeed.
    if (typeof data !== "string" && this.waiting) {
      const frame = decodeFrame(data);
      // The picture was taken on this device: its latency is measured with the page's clock.
      this.onFrame({ ...frame, stamp: this.takenAt }, this.waiting);
      this.waiting = null; // owned by the page now
    }
    this.next();
  }

  /** Waits for the next camera frame. */
  private next(): void {
    this.closeBitmap();
    if ("requestVideoFrameCallback" in this.video) this.video.requestVideoFrameCallback(() => void this.send());
    else window.setTimeout(() => void this.send(), 15);
  }

  private closeBitmap(): void {
    this.waiting?.close();
    this.waiting = null;
  }

  stop(): void {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.socket?.close();
    this.socket = null;
    this.closeBitmap();
  }
}
