// The commands typed, as the shell marks them (OSC 133: B input begins, C it runs): what stands on the screen between.
export function announceCommands(xterm) {
  let begin = null;
  xterm.parser.registerOscHandler(133, (mark) => {
    const buffer = xterm.buffer.active;
    if (mark === "B") begin = { marker: xterm.registerMarker(0), x: buffer.cursorX };
    if (mark === "C" && begin?.marker && begin.marker.line >= 0) {
      const text = textBetween(buffer, begin, buffer.baseY + buffer.cursorY);
      begin.marker.dispose();
      begin = null;
      if (text) document.dispatchEvent(new CustomEvent("bulkhead:command", { detail: { text } }));
    }
    return false;
  });
}

function textBetween(buffer, { marker, x }, end) {
  let text = "";
  for (let row = marker.line; row < end; row += 1) {
    const line = buffer.getLine(row);
    text += (row > marker.line && !line?.isWrapped ? "\n" : "") + (line?.translateToString(true, row === marker.line ? x : 0) ?? "");
  }
  return text.trim().slice(0, 300);
}
