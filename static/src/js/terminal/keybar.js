// Keys that a phone's keyboard lacks. Ctrl and Alt stay down for the next key, from the bar or the keyboard.
const control = (text) => (/^[@-_a-z]$/i.test(text) ? String.fromCharCode(text.toUpperCase().charCodeAt(0) & 0x1f) : text);

export function startKeyBar(bar, tabs) {
  const held = { ctrl: false, alt: false };
  const paint = () => bar.querySelectorAll("[data-modifier]").forEach((button) => button.setAttribute("aria-pressed", String(held[button.dataset.modifier])));
  const modify = (text) => {
    const changed = (held.alt ? "\x1b" : "") + (held.ctrl ? control(text) : text);
    held.ctrl = held.alt = false;
    paint();
    return changed;
  };
  tabs.addEventListener("shown", () => { tabs.current.view.modify = modify; });
  bar.addEventListener("pointerdown", (event) => event.preventDefault()); // the terminal keeps focus, the phone its keyboard
  bar.addEventListener("click", (event) => {
    const { key, arrow, modifier } = event.target.closest("button")?.dataset ?? {};
    const view = tabs.current?.view;
    if (modifier) held[modifier] = !held[modifier];
    else if (view && key) view.type(key);
    else if (view && arrow) view.type(`\x1b${view.xterm.modes.applicationCursorKeysMode ? "O" : "["}${arrow}`);
    paint();
  });
}
