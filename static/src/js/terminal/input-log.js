// What was typed and is not yet known to have reached the PTY. Offsets count bytes of this client's input,
// so that a reconnect sends again what is missing and nothing twice. DOM-free.
import { MAX_INPUT_BYTES } from "./codec.js";

const IN_FLIGHT_BYTES = 64 * 1024;

export class InputLog {
  constructor() {
    this.start = 0; // offset of the first byte kept
    this.sent = 0; // offset up to which frames were handed to the socket
    this.bytes = new Uint8Array();
  }

  get end() { return this.start + this.bytes.length; }

  add(bytes) {
    const joined = new Uint8Array(this.bytes.length + bytes.length);
    joined.set(this.bytes);
    joined.set(bytes, this.bytes.length);
    this.bytes = joined;
  }

  received(offset) {
    const upTo = Math.min(Math.max(offset, this.start), this.end);
    this.bytes = this.bytes.subarray(upTo - this.start);
    this.start = upTo;
    this.sent = Math.max(this.sent, upTo);
  }

  // The oldest byte that was handed out and is not known to have arrived, or null.
  get waiting() { return this.sent > this.start ? this.start : null; }

  rewind() { this.sent = this.start; }

  // Returns [offset, bytes] of the next frame, or null while enough is in flight.
  next() {
    const room = Math.min(MAX_INPUT_BYTES, this.end - this.sent, this.start + IN_FLIGHT_BYTES - this.sent);
    if (room <= 0) return null;
    const offset = this.sent;
    this.sent += room;
    return [offset, this.bytes.subarray(offset - this.start, offset - this.start + room)];
  }
}
