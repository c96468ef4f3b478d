// xterm.js colours: those of the page's two themes, each foreground with 4.5:1 on its ground, and one with 7:1.
import { recall } from "../remember.js";

const LIGHT = { background: "#fffefb", foreground: "#1e2227", cursor: "#0a5c6b", cursorAccent: "#fffefb",
  selectionBackground: "#b9dbe1", black: "#1e2227", red: "#a3231c", green: "#1c6434", yellow: "#7a4d00",
  blue: "#00538a", magenta: "#93306b", cyan: "#0a5c6b", white: "#5c6167", brightBlack: "#5c6167",
  brightRed: "#b3261e", brightGreen: "#24713d", brightYellow: "#855400", brightBlue: "#0b62a0",
  brightMagenta: "#a13a78", brightCyan: "#116978", brightWhite: "#1e2227" };
const DARK = { background: "#1c2024", foreground: "#e7e4dc", cursor: "#74c6d4", cursorAccent: "#1c2024",
  selectionBackground: "#2f5a63", black: "#7f8a94", red: "#ff9d92", green: "#84d19a", yellow: "#ecbb5c",
  blue: "#6bb8f0", magenta: "#ea9bc9", cyan: "#74c6d4", white: "#c9c6bf", brightBlack: "#98a2ab",
  brightRed: "#ffb5ac", brightGreen: "#a3e0b4", brightYellow: "#f5cf86", brightBlue: "#96cdf6",
  brightMagenta: "#f2b8da", brightCyan: "#9fdae4", brightWhite: "#ffffff" };
const CONTRAST = { background: "#000000", foreground: "#ffffff", cursor: "#ffffff", cursorAccent: "#000000",
  selectionBackground: "#ffffff", selectionForeground: "#000000", black: "#a8a8a8", red: "#ff8f8f", green: "#7dff8a",
  yellow: "#ffe066", blue: "#8fc7ff", magenta: "#ff9df2", cyan: "#7df3ff", white: "#ffffff", brightBlack: "#c8c8c8",
  brightRed: "#ffb3b3", brightGreen: "#b0ffb8", brightYellow: "#fff0a6", brightBlue: "#b8dcff",
  brightMagenta: "#ffc4f7", brightCyan: "#b8f8ff", brightWhite: "#ffffff" };
const CHOICES = { light: LIGHT, dark: DARK, contrast: CONTRAST };

export const themeChoice = () => recall("terminal-theme", "page");
export const currentTheme = () => CHOICES[themeChoice()] ?? (document.documentElement.dataset.theme === "dark" ? DARK : LIGHT);
export const currentContrast = () => (themeChoice() === "contrast" ? 7 : 4.5);
