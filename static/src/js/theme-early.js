// Runs before first paint, as a classic script: the chosen colours are on <html> before anything is drawn.
const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
let choice = "auto";
try { choice = localStorage.getItem("bulkhead.theme") ?? "auto"; } catch { /* storage may be forbidden: follow the system */ }
const apply = () => { root.dataset.theme = root.dataset.themeChoice === "auto" ? (dark.matches ? "dark" : "light") : root.dataset.themeChoice; };
root.dataset.themeChoice = ["light", "dark"].includes(choice) ? choice : "auto";
apply();
dark.addEventListener("change", apply);
