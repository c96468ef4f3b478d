// The colour switch: auto, light, dark. theme-early.js has applied the choice already.
import { remember } from "./remember.js";

const ORDER = ["auto", "light", "dark"];

export function startThemeSwitch(button) {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const choice = root.dataset.themeChoice;
    root.dataset.theme = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
    const label = button.dataset[`label${choice[0].toUpperCase()}${choice.slice(1)}`];
    button.setAttribute("aria-label", label);
    button.title = label;
    for (const icon of button.querySelectorAll("[data-for-theme]")) icon.hidden = icon.dataset.forTheme !== choice;
  };
  button.addEventListener("click", () => {
    root.dataset.themeChoice = ORDER[(ORDER.indexOf(root.dataset.themeChoice) + 1) % ORDER.length];
    remember("theme", root.dataset.themeChoice);
    show();
  });
  show();
}
