// Credit: tells the bridge how far xterm.js has parsed, every 32 KiB and when output pauses. DOM-free.
import { ACK_EVERY_BYTES } from "./codec.js";

const IDLE_MS = 50;

export class Credit {
  constructor(send, later = (work, ms) => setTimeout(work, ms)) {
    this.send = send;
    this.later = later;
    this.parsed = 0;
    this.told = 0;
    this.waiting = false;
  }

  reset(offset) { this.parsed = this.told = offset; }

  advance(offset) {
    this.parsed = Math.max(this.parsed, offset);
    if (this.parsed - this.told >= ACK_EVERY_BYTES) return this.tell();
    if (this.waiting || this.parsed === this.told) return;
    this.waiting = true;
    this.later(() => {
      this.waiting = false;
      this.tell();
    }, IDLE_MS);
  }

  tell() {
    if (this.parsed === this.told) return;
    this.told = this.parsed;
    this.send(this.parsed);
  }
}
