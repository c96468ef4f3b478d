// The terminal's settings: text size, colours, screen-reader mode. This browser remembers them.
import { recall, remember } from "../remember.js";
import { currentTheme, themeChoice } from "./themes.js";

const SMALLEST = 9;
const LARGEST = 32;

export function startSettings(panel, opener, tabs) {
  const size = panel.querySelector("[data-font-size]");
  const theme = panel.querySelector("[data-terminal-theme]");
  const reader = panel.querySelector("[data-reader]");
  const paint = () => tabs.home.style.setProperty("--terminal-ground", currentTheme().background);
  const setAll = (options) => {
    for (const { view } of tabs.open.values()) view.set(options);
    paint();
  };
  const resize = (by) => {
    const fontSize = Math.max(SMALLEST, Math.min(LARGEST, Number(recall("font-size", 14)) + by));
    remember("font-size", fontSize);
    size.textContent = fontSize;
    setAll({ fontSize });
  };
  const toggle = (shown = panel.hidden) => {
    panel.hidden = !shown;
    opener.setAttribute("aria-expanded", String(shown));
    if (shown) panel.querySelector("button").focus();
  };
  size.textContent = recall("font-size", 14);
  theme.value = themeChoice();
  reader.checked = recall("reader", "") === "on";
  panel.querySelector("[data-smaller]").addEventListener("click", () => resize(-1));
  panel.querySelector("[data-larger]").addEventListener("click", () => resize(1));
  theme.addEventListener("change", () => { remember("terminal-theme", theme.value); setAll({}); });
  reader.addEventListener("change", () => { remember("reader", reader.checked ? "on" : ""); setAll({ reader: reader.checked }); });
  opener.addEventListener("click", () => toggle());
  panel.addEventListener("keydown", (event) => { if (event.key === "Escape") { toggle(false); opener.focus(); } });
  document.addEventListener("pointerdown", ({ target }) => { if (!panel.hidden && !panel.contains(target) && !opener.contains(target)) toggle(false); });
  new MutationObserver(() => setAll({})).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  paint();
}
