// How long a key takes to the PTY and back, from the acknowledgements of input; smoothed as TCP does (RFC 6298). DOM-free.
export class RoundTrip {
  constructor() {
    this.ms = null; // null until something was measured
    this.sent = []; // [offset behind the bytes, time]
  }

  note(end, now) { this.sent.push([end, now]); }

  received(offset, now) {
    let at = null;
    while (this.sent.length && this.sent[0][0] <= offset) at = this.sent.shift()[1];
    if (at !== null) this.ms = this.ms === null ? now - at : this.ms * 0.75 + (now - at) * 0.25;
  }

  // What is sent again after a reconnect says nothing of the line.
  forget() { this.sent = []; }
}
