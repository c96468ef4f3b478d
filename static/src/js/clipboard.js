// The clipboard, also where the page has no secure context (a classroom without TLS): then by the old command.
export async function writeClipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const holder = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
  const focused = document.activeElement;
  document.body.append(holder);
  holder.select();
  const isDone = document.execCommand("copy");
  holder.remove();
  focused?.focus();
  if (!isDone) throw new Error("copy refused");
}

// Null if the browser keeps it from us; the browser's own paste keys still work then.
export async function readClipboard() {
  try { return await navigator.clipboard.readText(); } catch { return null; }
}
