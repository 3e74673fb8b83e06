// The sockets of the page: the stream of faces with its clock, and the camera's picture. Both come back by themselves.

import { decodeFrame, type StreamFrame } from "./codec";

export type ConnectionState = "connecting" | "open" | "closed";

/** What the page uses of the first message of a stream. */
export interface Hello {
  version: number;
  model_sha256: string;
  /** Whether /ws/camera has pictures. */
  camera: boolean;
}

const FIRST_WAIT = 250, LONGEST_WAIT = 5000, GROWTH = 1.7; // milliseconds between attempts
const PING_EVERY = 2000;
const UNHEARD_PINGS = 4; // after so many without a word from the server the connection is held for dead
const CLOCK_SAMPLES = 8;
const COMPLAIN_EVERY = 300; // frames that cannot be read

export function socketUrl(path: string, token: string): URL {
  const url = new URL(path, document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  if (token) url.searchParams.set("token", token);
  return url;
}

/** A WebSocket that is opened again, later and later. */
export class LastingSocket {
  state: ConnectionState = "connecting";
  private socket: WebSocket | null = null;
  private wait = FIRST_WAIT;
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
    this.become("connecting");
    const socket = (this.socket = new WebSocket(socketUrl(this.path, this.token())));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.become("open");
    socket.onmessage = (event) => {
      this.wait = FIRST_WAIT;
      this.onMessage(event.data);
    };
    socket.onclose = () => {
      this.become("closed");
      // Pages that lost the same server do not all come back at the same moment.
      this.timer = window.setTimeout(() => this.open(), this.wait * (0.75 + 0.5 * Math.random()));
      this.wait = Math.min(LONGEST_WAIT, this.wait * GROWTH);
    };
  }

  private become(state: ConnectionState): void {
    this.state = state;
    this.onState(state);
  }

  send(text: string): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(text);
  }

  /** Open it anew: a connection whose other end is gone without a word stays open for minutes otherwise. */
  restart(): void {
    if (this.state === "closed" || !this.socket) return;
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.become("closed");
    this.open();
  }

  /** Try again at once: the token or the network has changed. */
  retry(): void {
    if (this.state !== "closed") return;
    window.clearTimeout(this.timer);
    this.wait = FIRST_WAIT;
    this.open();
  }
}

/** This page's time in seconds since 1970, finer than Date.now(). */
export const pageSeconds = (): number => (performance.timeOrigin + performance.now()) / 1000;

/** What the server's clock shows, from the answer to the quickest of the last pings. */
class ServerClock {
  private samples: { offset: number; roundTrip: number }[] = [];

  add(asked: number, server: number): void {
    const now = pageSeconds();
    this.samples.push({ offset: server - (asked + now) / 2, roundTrip: now - asked });
    if (this.samples.length > CLOCK_SAMPLES) this.samples.shift();
  }

  get seconds(): number | null {
    if (!this.samples.length) return null;
    return pageSeconds() + this.samples.reduce((a, b) => (b.roundTrip < a.roundTrip ? b : a)).offset;
  }
}

export class FaceStream {
  private clock = new ServerClock();
  private socket: LastingSocket;
  private refused = 0; // frames
  private unheard = 0; // pings since the last word from the server

  constructor(
    token: () => string,
    handlers: {
      hello: (hello: Hello) => void;
      frame: (frame: StreamFrame) => void;
      state: (state: ConnectionState) => void;
    },
  ) {
    this.socket = new LastingSocket("ws/stream", token, (data) => {
      this.unheard = 0;
      if (typeof data !== "string") return this.decode(data, handlers.frame);
      const message = JSON.parse(data);
      if (message.type === "hello") handlers.hello(message);
      else if (message.type === "pong") this.clock.add(message.t, message.server);
    }, (state) => {
      this.unheard = 0;
      if (state === "open") {
        this.clock = new ServerClock();
        this.ping();
      }
      handlers.state(state);
    });
    window.setInterval(() => this.listen(), PING_EVERY);
    window.addEventListener("online", () => this.socket.retry());
  }

  private decode(data: ArrayBuffer, take: (frame: StreamFrame) => void): void {
    let frame: StreamFrame;
    try {
      frame = decodeFrame(data);
    } catch (error) {
      if (this.refused++ % COMPLAIN_EVERY === 0) console.error(`frame ${this.refused} that cannot be read:`, error);
      return;
    }
    take(frame);
  }

  private listen(): void {
    if (this.unheard >= UNHEARD_PINGS) this.socket.restart();
    else this.ping();
  }

  private ping(): void {
    this.unheard++;
    this.socket.send(JSON.stringify({ type: "ping", t: pageSeconds() }));
  }

  /** The server's clock; null before the first answer. */
  get serverSeconds(): number | null {
    return this.clock.seconds;
  }

  retry(): void {
    this.socket.retry();
  }
}
