// Typed characters on the screen before the site has echoed them, where that is certain to be true. DOM-free: ``screen``
// tells cursor and cells, ``show`` draws. What is drawn lies over the terminal and is never in its buffer.
//
// It guesses only on a slow line, at the shell's prompt (OSC 133 B), behind the last character of the line, and only after
// the first character of this prompt was seen to come back: a line whose echo is off (read -s, a password) shows nothing
// of itself, ever. Anything but a printable ASCII character or a backspace over a guess ends it until the next prompt.
const SLOW_MS = 60;
const LATE_MS = 500; // beyond two round trips

export class Prediction {
  constructor({ screen, show, roundTrip, clock = globalThis, now = () => performance.now() }) {
    Object.assign(this, { screen, show, roundTrip, clock, now });
    this.guesses = []; // [{letter, x, y, at, isShown}], the oldest first
    this.ahead = 0; // lines typed before a prompt was there: prompts to come will take them
    this.isAtPrompt = this.isGuessing = this.isTrusted = false;
    this.right = this.wrong = 0; // of those that were shown: came true, were contradicted
  }

  get isSlow() { return this.roundTrip() > SLOW_MS; }

  // The shell's input begins here (B), or its command does (C).
  prompt() {
    const isTaken = this.ahead > 0;
    this.ahead = Math.max(0, this.ahead - 1);
    this.reset();
    this.isAtPrompt = true;
    this.isGuessing = !isTaken;
  }

  runs() {
    this.parsed();
    this.reset();
    this.isAtPrompt = false;
  }

  // One piece of input as it is sent.
  typed(text) {
    if (text === "\x7f" && this.guesses.length) return this.rubOut();
    if (!this.isAtPrompt) this.ahead += text.split("\r").length - 1;
    else if (this.isGuessing && /^[\x20-\x7e]$/.test(text)) this.guess(text);
    else if (this.isGuessing || text.includes("\r")) this.leave(text.includes("\r"));
  }

  guess(letter) {
    const { x, y, isBlankBehind, cols, isNormal } = this.screen();
    const last = this.guesses.at(-1);
    const place = last ? { x: last.x + 1, y: last.y } : { x, y };
    if (!isNormal || !isBlankBehind || place.x >= cols - 1) return this.leave();
    this.guesses.push({ letter, ...place, at: this.now(), isShown: this.isTrusted && this.isSlow });
    this.settle();
  }

  // The letter may come back before its end does: it is drawn then as what it is, and no more is guessed on this line.
  rubOut() {
    this.guesses.pop();
    this.leave();
    this.settle();
  }

  // Output was drawn: what has come back is no guess any more.
  parsed() {
    while (this.guesses.length) {
      const [guess] = this.guesses;
      const { x, y, letterAt } = this.screen();
      const isPassed = y > guess.y || (y === guess.y && x > guess.x);
      if (!isPassed && y === guess.y) break;
      if (!isPassed || letterAt(guess.x, guess.y) !== guess.letter) return this.fail();
      this.confirm();
    }
    this.settle();
  }

  confirm() {
    if (this.guesses.shift().isShown) this.right += 1;
    if (!this.isGuessing) return;
    this.isTrusted = true;
    for (const guess of this.guesses) guess.isShown ||= this.isSlow;
  }

  fail() {
    this.wrong += this.guesses.filter(({ isShown }) => isShown).length;
    this.reset();
  }

  // No more guesses until the next prompt; those that are there are waited for.
  leave(isLineDone = false) {
    this.isGuessing = this.isTrusted = false;
    if (isLineDone) this.isAtPrompt = false;
  }

  // No more guesses, and those that are there go.
  reset() {
    this.leave();
    this.guesses = [];
    this.settle();
  }

  // What has not come back in time is taken away: it may still come, and then it is there as any output.
  settle() {
    this.clock.clearTimeout(this.late);
    const [oldest] = this.guesses;
    if (oldest) this.late = this.clock.setTimeout(() => this.reset(), Math.max(0, oldest.at + 2 * (this.roundTrip() ?? 0) + LATE_MS - this.now()));
    this.show(this.guesses.filter(({ isShown }) => isShown));
  }
}
