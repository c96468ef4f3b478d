// Is the line dead, or only the shell quiet? A socket whose other end is gone stays open for minutes, so what should
// have been answered is waited for, and a ping settles a doubt. Nothing runs while nobody looks or types. DOM-free.
const DOUBT_MS = 2000; // typed, and no word of any kind since
const PONG_MS = 4000;
const QUIET_MS = 25000;
const STUCK_MS = 3000; // typed and not received although the line lives: the bridge may not know us any more

export class Liveness {
  constructor({ ping, lost, greet, isLooked, clock = globalThis, now = () => performance.now() }) {
    Object.assign(this, { ping, lost, greet, isLooked, clock, now });
  }

  start() {
    this.stop();
    this.heard = this.now();
    this.quiet = this.clock.setInterval(() => { if (this.isLooked() && this.now() - this.heard >= QUIET_MS) this.doubt(); }, QUIET_MS);
  }

  stop() {
    this.clock.clearInterval(this.quiet);
    this.clock.clearTimeout(this.pong);
    this.clock.clearTimeout(this.answer);
    this.pong = this.answer = this.stuckAt = null;
  }

  hear() {
    this.heard = this.now();
    this.clock.clearTimeout(this.pong);
    this.pong = null;
  }

  // Something was sent that will be answered; ``waiting`` returns the offset of the oldest byte not received, or null.
  expect(waiting) {
    if (this.answer) return;
    const sent = this.now();
    const oldest = waiting();
    this.answer = this.clock.setTimeout(() => {
      this.answer = null;
      if (waiting() === null) { this.stuckAt = null; return; }
      if (this.heard < sent) this.doubt();
      else if (waiting() === oldest) this.unstick(oldest);
      this.expect(waiting);
    }, this.stuckAt === null ? DOUBT_MS : STUCK_MS);
  }

  // Greeting makes the bridge say what it has received; once for each place at which it stopped.
  unstick(oldest) {
    if (this.stuckAt === oldest) return;
    this.stuckAt = oldest;
    this.greet();
  }

  doubt() {
    if (this.pong) return;
    this.ping();
    this.pong = this.clock.setTimeout(() => { this.stop(); this.lost(); }, PONG_MS);
  }
}
