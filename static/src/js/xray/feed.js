// The facts of one session while the panel is open: a WebSocket, the newest document, and those before it.
import { applyPatch, decodeFrame, joined, KINDS, pastOf } from "./document.js";

const FINAL = { 4401: "signedOut", 4404: "ended", 4410: "ended" };
const HERE_MS = 20000;
const MAX_HISTORY = 3600;
const feeds = new Map();

// One feed for each session on the page: the panel and the drawings share it.
export function feedOf(sessionId) {
  if (!feeds.has(sessionId)) feeds.set(sessionId, new Feed(sessionId));
  return feeds.get(sessionId);
}

export class Feed extends EventTarget {
  constructor(sessionId) {
    super();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.url = `${scheme}://${location.host}/ws/sessions/${sessionId}/facts/`;
    this.sessionId = sessionId;
    this.history = []; // {at, facts, isCoarse}, oldest first
    this.document = {}; // what the next patch is for
    this.heardAt = null; // when facts came last
    this.clockAhead = 0; // milliseconds that this page's clock is ahead of the worker's
    this.attempts = 0;
    this.users = new Set();
    document.addEventListener("visibilitychange", () => (document.hidden ? this.disconnect() : this.users.size && this.connect()));
  }

  open(user) {
    this.users.add(user);
    this.connect();
  }

  close(user) {
    this.users.delete(user);
    if (!this.users.size) this.disconnect();
  }

  get newest() { return this.history.at(-1); }

  connect() {
    if (this.socket || document.hidden) return;
    const socket = this.socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { this.beat = setInterval(() => socket.send("here"), HERE_MS); };
    socket.onmessage = ({ data }) => this.take(decodeFrame(data));
    socket.onclose = ({ code }) => {
      clearInterval(this.beat);
      if (this.socket !== socket) return;
      this.socket = null;
      const isFinal = Boolean(this.over = FINAL[code]);
      this.dispatchEvent(new CustomEvent("lost", { detail: { isFinal } }));
      if (!isFinal) this.retry = setTimeout(() => this.users.size && this.connect(), Math.min(10000, 300 * 2 ** this.attempts++));
    };
  }

  disconnect() {
    clearTimeout(this.retry);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  take({ kind, body }) {
    if (kind === KINDS.remark) return this.dispatchEvent(new CustomEvent("remark", { detail: body }));
    this.heardAt = Date.now();
    if (kind === KINDS.history) {
      this.clockAhead = this.heardAt - body.now;
      this.history = joined(pastOf(body, this.heardAt), this.history).slice(-MAX_HISTORY);
      return undefined; // the whole document follows
    }
    this.attempts = 0;
    this.document = kind === KINDS.whole ? body : applyPatch(this.document, body);
    this.history.push({ at: this.heardAt, facts: this.document });
    if (this.history.length > MAX_HISTORY) this.history.shift();
    return this.dispatchEvent(new CustomEvent("facts"));
  }

  // What happened since the session began, in the page's time.
  events(machine) {
    return Object.values(this.document.events ?? {}).filter((one) => !one.machine || one.machine === machine)
      .map((one) => ({ ...one, at: one.at + this.clockAhead })).sort((a, b) => a.at - b.at);
  }
}
