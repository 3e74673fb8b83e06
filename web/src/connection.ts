// The WebSockets of the page: the face stream with its clock, and the camera picture. Both reconnect automatically.

import { decodeFrame, type StreamFrame } from "./codec";

export type ConnectionState = "connecting" | "open" | "closed";

/** The fields of the first message of a stream that the page uses. */
export interface Hello {
  version: number;
  model_sha256: string;
  /** Whether /ws/camera is available. */
  camera: boolean;
}

const MIN_WAIT = 250, MAX_WAIT = 5000, BACKOFF = 1.7; // milliseconds between attempts, and growth factor
const PING_INTERVAL = 2000; // milliseconds
const MAX_UNANSWERED_PINGS = 4; // after which the connection is considered lost
const CLOCK_SAMPLES = 8;
const LOG_EVERY = 300; // invalid frames per log line

export function socketUrl(path: string, token: string): URL {
  const url = new URL(path, document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  if (token) url.searchParams.set("token", token);
  return url;
}

/** A WebSocket that reconnects with exponential backoff. */
export class ReconnectingSocket {
  state: ConnectionState = "connecting";
  private socket: WebSocket | null = null;
  private wait = MIN_WAIT;
  private timer = 0;

  constructor(
    private path: string,
    private token: () => string,
    private onMessage: (data: string | ArrayBuffer) => void,
    private onState: (state: ConnectionState) => void = () => {},
  ) {
    this.open();
  }

  private open(): void {
    this.setState("connecting");
    const socket = (this.socket = new WebSocket(socketUrl(this.path, this.token())));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.setState("open");
    socket.onmessage = (event) => {
      this.wait = MIN_WAIT;
      this.onMessage(event.data);
    };
    socket.onclose = () => {
      this.setState("closed");
      // Random, so that pages do not reconnect all at the same time.
      this.timer = window.setTimeout(() => this.open(), this.wait * (0.75 + 0.5 * Math.random()));
      this.wait = Math.min(MAX_WAIT, this.wait * BACKOFF);
    };
  }

  private setState(state: ConnectionState): void {
    this.state = state;
    this.onState(state);
  }

  send(text: string): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(text);
  }

  /** Reconnects: a connection that was lost without a close frame would stay open for minutes. */
  restart(): void {
    if (this.state === "closed" || !this.socket) return;
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.setState("closed");
    this.open();
  }

  /** Reconnects at once, after a change of token or network. */
  retry(): void {
    if (this.state !== "closed") return;
    window.clearTimeout(this.timer);
    this.wait = MIN_WAIT;
    this.open();
  }
}

/** Seconds since 1970, with a higher resolution than Date.now(). */
export const pageSeconds = (): number => (performance.timeOrigin + performance.now()) / 1000;

/** Estimates the server's clock from the ping with the shortest round trip. */
class ServerClock {
  private samples: { offset: number; roundTrip: number }[] = [];

  add(sent: number, server: number): void {
    const now = pageSeconds();
    this.samples.push({ offset: server - (sent + now) / 2, roundTrip: now - sent });
    if (this.samples.length > CLOCK_SAMPLES) this.samples.shift();
  }

  get seconds(): number | null {
    if (!this.samples.length) return null;
    return pageSeconds() + this.samples.reduce((a, b) => (b.roundTrip < a.roundTrip ? b : a)).offset;
  }
}

export class FaceStream {
  private clock = new ServerClock();
  private socket: ReconnectingSocket;
  private invalid = 0; // frames
  private unanswered = 0; // pings since the last message of the server

  constructor(
    token: () => string,
    handlers: {
      hello: (hello: Hello) => void;
      frame: (frame: StreamFrame) => void;
      state: (state: ConnectionState) => void;
    },
  ) {
    this.socket = new ReconnectingSocket("ws/stream", token, (data) => {
      this.unanswered = 0;
      if (typeof data !== "string") return this.decode(data, handlers.frame);
      const message = JSON.parse(data);
      if (message.type === "hello") handlers.hello(message);
      else if (message.type === "pong") this.clock.add(message.t, message.server);
    }, (state) => {
      this.unanswered = 0;
      if (state === "open") {
        this.clock = new ServerClock();
        this.ping();
      }
      handlers.state(state);
    });
    window.setInterval(() => this.checkConnection(), PING_INTERVAL);
    window.addEventListener("online", () => this.socket.retry());
  }

  private decode(data: ArrayBuffer, take: (frame: StreamFrame) => void): void {
    let frame: StreamFrame;
    try {
      frame = decodeFrame(data);
    } catch (error) {
      if (this.invalid++ % LOG_EVERY === 0) console.error(`invalid frame ${this.invalid}:`, error);
      return;
    }
    take(frame);
  }

  private checkConnection(): void {
    if (this.unanswered >= MAX_UNANSWERED_PINGS) this.socket.restart();
    else this.ping();
  }

  private ping(): void {
    this.unanswered++;
    this.socket.send(JSON.stringify({ type: "ping", t: pageSeconds() }));
  }

  /** Time of the server's clock; null before the first pong. */
  get serverSeconds(): number | null {
    return this.clock.seconds;
  }

  retry(): void {
    this.socket.retry();
  }
}
