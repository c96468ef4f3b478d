// Keys the page takes from the terminal; everything else belongs to the shell. Returns false when taken.
export function keyAction(event, view) {
  if (event.type !== "keydown") return true;
  const wide = event.ctrlKey && event.shiftKey;
  const key = event.key.toLowerCase();
  const take = (name) => {
    event.preventDefault();
    document.dispatchEvent(new CustomEvent(`bulkhead:${name}`, { detail: { view } }));
    return false;
  };
  if (wide && event.key === "F6") return take("leave-terminal");
  if ((wide && key === "c") || (event.metaKey && key === "c" && view.xterm.hasSelection())) return take("copy");
  // Without a readable clipboard the browser's own paste event is left to do it.
  if ((wide && key === "v") || (event.metaKey && key === "v")) return navigator.clipboard?.readText && wide ? take("paste") : false;
  if (wide && key === "f") return take("find");
  return true;
}
