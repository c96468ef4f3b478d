// Draws guessed letters over xterm.js as decorations, and tells prediction.js of its cursor and cells.
import { currentTheme } from "./themes.js";

// Lines are counted from the prompt's marker, which moves with them when old ones are dropped.
export function startGuesses(xterm, prediction) {
  const drawn = new Map(); // guess -> decoration
  let prompt = null;
  const buffer = () => xterm.buffer.active;
  const line = (y) => buffer().getLine(prompt.line + y);

  const screen = () => {
    const { cursorX: x, cursorY, baseY, type } = buffer();
    const isThere = prompt && prompt.line >= 0;
    return { x, y: isThere ? baseY + cursorY - prompt.line : -1, cols: xterm.cols, isNormal: isThere && type === "normal",
      isBlankBehind: isThere && !line(baseY + cursorY - prompt.line)?.translateToString(true, x),
      letterAt: (column, y) => (isThere ? line(y)?.getCell(column)?.getChars() || " " : "") };
  };

  const draw = (guess) => {
    const marker = xterm.registerMarker(prompt.line + guess.y - buffer().baseY - buffer().cursorY);
    const decoration = xterm.registerDecoration({ marker, x: guess.x, width: 1, layer: "top" });
    decoration?.onRender((element) => {
      const { foreground, background } = currentTheme();
      element.classList.add("guess");
      if (element.textContent !== guess.letter) element.textContent = guess.letter; // called for each frame
      Object.assign(element.style, { color: foreground, backgroundColor: background, fontFamily: xterm.options.fontFamily,
        fontSize: `${xterm.options.fontSize}px`, lineHeight: element.style.height });
    });
    return { dispose: () => { decoration?.dispose(); marker?.dispose(); } };
  };

  const show = (guesses) => {
    const wanted = new Set(guesses);
    for (const [guess, decoration] of drawn) {
      if (wanted.has(guess)) continue;
      decoration.dispose();
      drawn.delete(guess);
    }
    for (const guess of wanted) if (!drawn.has(guess)) drawn.set(guess, draw(guess));
    xterm.element.dataset.guessed = `${prediction.right} ${prediction.wrong}`; // for the tests, and for who wonders
  };

  Object.assign(prediction, { screen, show });
  xterm.parser.registerOscHandler(133, (mark) => {
    if (mark === "B") {
      prompt?.dispose();
      prompt = xterm.registerMarker(0);
      prediction.prompt();
    }
    if (mark === "C") prediction.runs();
    return false;
  });
}
