// One terminal's WebSocket: greets with the offset it has, drops what it has seen, sends again what was not
// received, and says in events what a person should know ("status") and what to draw ("output", "exit", "skipped").
import { Close, decode, encode, Frame, FROM_RING_START, VERSION } from "./codec.js";
import { Credit } from "./flow.js";
import { InputLog } from "./input-log.js";
import { Liveness } from "./liveness.js";
import { RoundTrip } from "./round-trip.js";

const FINAL = { [Close.SIGNED_OUT]: "signedOut", [Close.NOT_FOUND]: "gone", [Close.ENDED]: "ended",
  [Close.BAD_FRAME]: "broken", [Close.FRAME_TOO_LARGE]: "broken" };
const WELCOME_WITHIN_MS = 3000;
const OPEN_WITHIN_MS = 6000; // a network that is away answers nothing for minutes
const BACK_OFF_MS = [300, 600, 1200, 1200, 1200, 1200, 3000, 6000, 10000]; // a restart of the site takes a few seconds

export class Connection extends EventTarget {
  // ``isAhead``: its shell is still being started. The bridge wants a greeting when that is there, so nobody asks meanwhile.
  constructor(url, size, isAhead = false) {
    super();
    this.url = url;
    this.size = size;
    this.isAhead = isAhead;
    this.client = crypto.getRandomValues(new BigUint64Array(1))[0];
    this.offset = null; // PTY offset behind the last byte drawn; null until the first WELCOME
    this.input = new InputLog();
    this.roundTrip = new RoundTrip();
    this.credit = new Credit((offset) => this.put(Frame.ACK, [offset]));
    this.attempts = 0;
    this.leaving = new AbortController();
    this.life = new Liveness({ ping: () => this.put(Frame.PING, [0]), lost: () => this.lose(), greet: () => this.greet(),
      isLooked: () => document.visibilityState === "visible" });
    this.listen();
  }

  // After a sleep or a change of network the socket may look open and be dead.
  listen() {
    const { signal } = this.leaving;
    const wake = () => {
      if (document.visibilityState !== "visible") return;
      if (this.welcomed) this.life.doubt();
      else this.retryNow();
    };
    addEventListener("online", wake, { signal });
    addEventListener("offline", wake, { signal });
    for (const name of ["visibilitychange", "resume"]) document.addEventListener(name, wake, { signal });
  }

  open() {
    clearTimeout(this.retry);
    clearTimeout(this.opening);
    this.welcomed = false;
    this.opening = setTimeout(() => this.lose(), OPEN_WITHIN_MS);
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { if (socket === this.socket) { clearTimeout(this.opening); this.life.start(); this.greet(); } };
    socket.onmessage = ({ data }) => { if (socket === this.socket && typeof data !== "string") this.take(decode(new Uint8Array(data))); };
    socket.onclose = ({ code }) => { if (socket === this.socket) this.closed(code); };
  }

  close() {
    this.finished = true;
    this.leaving.abort();
    this.socket?.close();
    this.rest();
  }

  rest() {
    for (const timer of [this.retry, this.greeting, this.opening]) clearTimeout(timer);
    this.life.stop();
  }

  // The other end does not answer, so its closing handshake will not come either.
  lose() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.closed();
  }

  say(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  put(kind, fields, data) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(encode(kind, fields, data));
  }

  greet() {
    this.put(Frame.HELLO, [VERSION, 0, this.client, this.offset ?? FROM_RING_START, ...this.size()]);
    clearTimeout(this.greeting);
    if (this.isAhead) return;
    this.greeting = setTimeout(() => {
      if (this.welcomed || this.finished || this.socket.readyState !== WebSocket.OPEN) return;
      this.say("status", { is: "waiting" });
      this.greet();
    }, WELCOME_WITHIN_MS);
  }

  // The shell is there, says somebody else.
  arrive() {
    if (!this.isAhead) return;
    this.isAhead = false;
    if (this.socket?.readyState === WebSocket.OPEN && !this.welcomed) this.greet();
  }

  type(bytes) {
    this.input.add(bytes);
    this.pump();
  }

  resize([rows, cols]) { if (this.welcomed) this.put(Frame.RESIZE, [rows, cols]); }

  pump() {
    if (!this.welcomed) return;
    for (let next = this.input.next(); next; next = this.input.next()) {
      this.put(Frame.INPUT, [next[0]], next[1]);
      this.roundTrip.note(next[0] + next[1].length, performance.now());
    }
    if (this.input.waiting !== null) this.life.expect(() => this.input.waiting);
  }

  take({ kind, fields, data }) {
    this.life.hear();
    const [first, second, third] = fields.map(Number);
    if (kind === Frame.OUTPUT || kind === Frame.REPLAY) this.draw(first, data, kind === Frame.REPLAY);
    else if (kind === Frame.WELCOME) this.welcome(first, second, third);
    else if (kind === Frame.INPUT_ACK) this.inputReceived(first);
    else if (kind === Frame.SKIPPED) this.skip(first, second);
    else if (kind === Frame.EXIT) { this.finished = true; this.life.stop(); this.say("exit", { status: second }); }
    else if (kind === Frame.NOTICE) this.say("notice", JSON.parse(new TextDecoder().decode(data)));
  }

  inputReceived(offset) {
    this.roundTrip.received(offset, performance.now());
    this.input.received(offset);
    this.pump();
  }

  welcome(head, first, received) {
    if (this.offset === null) this.offset = first;
    else if (head < this.offset) { this.offset = first; this.say("restart"); }
    this.credit.reset(this.offset);
    this.input.received(received);
    this.input.rewind();
    this.roundTrip.forget();
    this.welcomed = true;
    this.isAhead = false;
    this.attempts = 0;
    this.say("status", { is: "ready" });
    this.pump();
  }

  draw(from, bytes, isReplay) {
    if (this.offset === null) return; // a broadcast before our WELCOME: the replay brings it
    const end = from + bytes.length;
    if (end <= this.offset) return;
    if (from > this.offset) return this.greet(); // a gap: ask for it from the ring
    const fresh = bytes.subarray(this.offset - from);
    this.offset = end;
    this.say("output", { bytes: fresh, isReplay, parsed: () => this.credit.advance(end) });
  }

  skip(from, to) {
    if (this.offset === null || to <= this.offset) return;
    this.say("skipped", { bytes: to - Math.max(from, this.offset) });
    this.offset = to;
    this.credit.reset(to);
  }

  closed(code) {
    this.welcomed = false;
    this.rest();
    if (this.finished) return;
    if (FINAL[code]) { this.finished = true; return this.say("status", { is: FINAL[code] }); }
    const wait = BACK_OFF_MS[Math.min(this.attempts++, BACK_OFF_MS.length - 1)] * (0.75 + Math.random() / 2);
    this.retry = setTimeout(() => this.retryNow(), wait);
    this.say("status", { is: "lost", retryAt: performance.now() + wait });
  }

  retryNow() {
    if (this.finished || this.socket?.readyState <= WebSocket.OPEN) return;
    this.open();
    this.say("status", { is: "connecting" });
  }
}
