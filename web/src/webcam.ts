// The device camera as a source: images are at the server while the next one is encoded and another one is captured.

import { decodeFrame, type StreamFrame } from "./codec";
import { pageSeconds, socketUrl } from "./connection";
import { Encoder, type Encoded } from "./encoder";

const WIDTH = 640;
const POLL = 15; // milliseconds between checks for a new camera image
const ERROR_PAUSE = 500; // milliseconds after a rejected image
const MAX_SENT = 2; // images at the server, if most of the time is spent on the way to it
const IDLE_SERVER = 0.6; // of the time until an answer

interface Image extends Encoded {
  /** Time of capture, seconds of this device's clock. */
  takenAt: number;
  /** Time of sending, seconds of this device's clock. */
  sentAt: number;
}

export interface WebcamHandlers {
  /** Receives each answer with its picture, which it owns. */
  frame: (frame: StreamFrame, picture: ImageBitmap) => void;
  /** The connection has ended, or the camera was unplugged. */
  end: (reason: string) => void;
}

export class Webcam {
  /** Resolves when the server accepts images. */
  readonly connected: Promise<void>;
  private resolveConnected: () => void = () => {};
  private video = document.createElement("video");
  private encoder = new Encoder();
  private stream: MediaStream | null = null;
  private socket: WebSocket | null = null;
  private ready: Image | null = null; // encoded, not sent yet
  private sent: Image[] = []; // at the server, oldest first
  private inWork = 0; // images that are being captured or encoded
  private maxSent = 1;
  private lastTime = -1;
  private timer = 0;

  /** `client`: id of this browser's calibration at the server. */
  constructor(private token: string, private client: string, private handlers: WebcamHandlers) {
    this.connected = new Promise((resolve) => (this.resolveConnected = resolve));
  }

  /** Opens a camera, or the preferred one; throws the errors of getUserMedia. */
  async start(deviceId: string): Promise<void> {
    if (!navigator.mediaDevices) throw new DOMException("the page is not secure", "SecurityError");
    this.connect(); // the server prepares while the camera starts
    const choice = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" };
    this.stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 1280 }, frameRate: { ideal: 30 }, ...choice }, audio: false,
    });
    this.stream.getVideoTracks()[0].onended = () => this.fail("the camera was disconnected");
    this.video.srcObject = this.stream;
    this.video.muted = this.video.playsInline = true;
    await this.video.play();
    this.connect(); // again, if the server did not wait for the user's permission
    void this.capture();
  }

  private connect(): void {
    if (this.socket) return;
    const url = socketUrl("ws/infer", this.token);
    url.searchParams.set("client", this.client);
    const socket = (this.socket = new WebSocket(url));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.resolveConnected();
      this.send();
    };
    socket.onmessage = (event) => this.answer(event.data);
    socket.onclose = ({ reason }) => {
      if (this.socket === socket) this.socket = null;
      this.fail(reason || "the server accepts no images; it may be busy with other cameras");
    };
  }

  /** Settings of the open camera. */
  get settings(): MediaTrackSettings {
    return this.stream?.getVideoTracks()[0]?.getSettings() ?? {};
  }

  private fail(reason: string): void {
    if (!this.stream) return;
    this.stop();
    this.handlers.end(reason);
  }

  /** Captures and encodes the next camera image, when there is one. */
  private async capture(): Promise<void> {
    window.clearTimeout(this.timer);
    if (!this.stream || this.inWork + (this.ready ? 1 : 0) >= this.maxSent) return;
    const { videoWidth, videoHeight, currentTime } = this.video;
    if (!videoWidth || currentTime === this.lastTime) {
      this.timer = window.setTimeout(() => void this.capture(), POLL);
      return;
    }
    this.inWork++;
    this.lastTime = currentTime;
    const takenAt = pageSeconds(), scale = Math.min(1, WIDTH / videoWidth);
    const size = { resizeWidth: Math.round(scale * videoWidth), resizeHeight: Math.round(scale * videoHeight) };
    const bitmap = await createImageBitmap(this.video, size).catch(() => null);
    void this.capture(); // the next one, while this one is encoded
    const encoded = bitmap && (await this.encoder.encode(bitmap).catch(() => null));
    this.inWork--;
    if (!this.stream) return encoded?.bitmap.close();
    if (encoded) {
      this.ready?.bitmap.close();
      this.ready = { ...encoded, takenAt, sentAt: 0 };
    }
    this.send();
    if (!encoded) this.timer = window.setTimeout(() => void this.capture(), ERROR_PAUSE);
  }

  /** Sends the encoded image unless the server is busy with others. */
  private send(): void {
    if (!this.ready || this.sent.length >= this.maxSent || this.socket?.readyState !== WebSocket.OPEN) return;
    this.sent.push({ ...this.ready, sentAt: pageSeconds() });
    this.socket.send(this.ready.jpeg);
    this.ready = null;
    void this.capture();
  }

  private answer(data: string | ArrayBuffer): void {
    const sent = this.sent.shift();
    if (!sent) return;
    if (typeof data === "string") { // an error for this image; the next one may succeed
      sent.bitmap.close();
      window.setTimeout(() => this.send(), ERROR_PAUSE);
      return;
    }
    const frame = decodeFrame(data);
    // The server's stamp and its time of sending: more images at a busy server would only wait there.
    const busy = (frame.sent - frame.stamp) / (pageSeconds() - sent.sentAt);
    this.maxSent = busy < IDLE_SERVER ? MAX_SENT : 1;
    this.send();
    // The picture was taken on this device: its latency is measured with the page's clock.
    this.handlers.frame({ ...frame, stamp: sent.takenAt }, sent.bitmap);
  }

  stop(): void {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    window.clearTimeout(this.timer);
    this.socket?.close();
    this.socket = null;
    this.encoder.close();
    for (const image of [this.ready, ...this.sent]) image?.bitmap.close();
    this.ready = null;
    this.sent = [];
  }
}

/** Why a camera cannot be used, and what to do. */
export function cameraProblem(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  const texts: Record<string, string> = {
    SecurityError: "Browsers allow cameras only on pages with https:// addresses and on localhost. Start the server with the option --tls, then open the https:// address that it prints.",
    NotAllowedError: "The camera was not allowed. Click the icon beside the address of this page, allow the camera, and select My camera again. If that does not help, allow the browser to use the camera in the settings of the system.",
    NotFoundError: "No camera was found. Connect one and select My camera again.",
    NotReadableError: "The camera cannot be opened: another program may be using it. Close that program and select My camera again.",
    OverconstrainedError: "The selected camera is no longer connected. Select another one.",
  };
  return texts[name] ?? `The camera cannot be used: ${error instanceof Error ? error.message : String(error)}`;
}
