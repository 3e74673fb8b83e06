// The own webcam as a source: one JPEG to the server, its answer, the next JPEG.

import { decodeFrame, type StreamFrame } from "./codec";
import { pageSeconds, socketUrl } from "./connection";

const WIDTH = 640;
const QUALITY = 0.82;

export class Webcam {
  private video = document.createElement("video");
  private canvas = document.createElement("canvas");
  private stream: MediaStream | null = null;
  private socket: WebSocket | null = null;
  private taken = 0;
  private waiting: ImageBitmap | null = null;

  /** `onFrame` gets each answer with the picture that it answers; `onEnd` the reason when it ends by itself. */
  constructor(
    private token: string,
    private onFrame: (frame: StreamFrame, picture: ImageBitmap) => void,
    private onEnd: (reason: string) => void,
  ) {}

  /** Raises what getUserMedia raises: no camera, or no permission. */
  async start(): Promise<void> {
    if (!navigator.mediaDevices) throw new Error("the browser gives cameras only to pages from https:// or from this machine");
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
      this.onEnd(reason || "the server takes no pictures at the moment; it may be busy with other cameras");
    };
  }

  private async send(): Promise<void> {
    const { videoWidth, videoHeight } = this.video;
    if (!this.stream || !videoWidth) return;
    const scale = Math.min(1, WIDTH / videoWidth);
    Object.assign(this.canvas, { width: Math.round(scale * videoWidth), height: Math.round(scale * videoHeight) });
    this.canvas.getContext("2d")!.drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    this.taken = pageSeconds();
    this.waiting = await createImageBitmap(this.canvas);
    this.canvas.toBlob((jpeg) => {
      if (!jpeg) this.next(); // the browser could not pack this one
      else if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(jpeg);
    }, "image/jpeg", QUALITY);
  }

  private answer(data: string | ArrayBuffer): void {
    // Text instead of a frame says why a picture was refused; the next one may work.
    if (typeof data !== "string" && this.waiting) {
      const frame = decodeFrame(data);
      // The picture was taken here: the page's own clock tells the delay.
      this.onFrame({ ...frame, stamp: this.taken }, this.waiting);
      this.waiting = null; // it is the page's now
    }
    this.next();
  }

  /** The next new picture of the camera, not the same one again. */
  private next(): void {
    this.forget();
    if ("requestVideoFrameCallback" in this.video) this.video.requestVideoFrameCallback(() => void this.send());
    else window.setTimeout(() => void this.send(), 15);
  }

  private forget(): void {
    this.waiting?.close();
    this.waiting = null;
  }

  stop(): void {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.socket?.close();
    this.socket = null;
    this.forget();
  }
}
