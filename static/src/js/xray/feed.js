// The facts of one session while the panel is open: a WebSocket, the newest document, and those before it.
import { applyPatch, decodeFrame, KINDS } from "./document.js";

const FINAL = new Set([4401, 4404, 4410]);
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
    this.history = []; // {at, facts}, oldest first
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
      const isFinal = FINAL.has(code);
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
    this.attempts = 0;
    const facts = kind === KINDS.whole ? body : applyPatch(this.newest?.facts ?? {}, body);
    const before = this.newest;
    this.history.push({ at: Date.now(), facts });
    if (this.history.length > MAX_HISTORY) this.history.shift();
    return this.dispatchEvent(new CustomEvent("facts", { detail: { before } }));
  }
}
