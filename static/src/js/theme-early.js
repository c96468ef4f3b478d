// Runs before first paint, as a classic script: the chosen colours, and the chosen width of the lesson beside its terminal
// (splitter.js), are on <html> before anything is drawn, so that nothing flashes and nothing moves.
const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
let choice = "auto";
let share = 0;
try {
  choice = localStorage.getItem("bulkhead.theme") ?? "auto";
  share = Number(localStorage.getItem("bulkhead.split"));
} catch { /* storage may be forbidden: follow the system */ }
if (share) root.style.setProperty("--lesson-share", `${share}%`);
const apply = () => { root.dataset.theme = root.dataset.themeChoice === "auto" ? (dark.matches ? "dark" : "light") : root.dataset.themeChoice; };
root.dataset.themeChoice = ["light", "dark"].includes(choice) ? choice : "auto";
apply();
dark.addEventListener("change", apply);
