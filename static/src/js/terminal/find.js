// The search box over the terminal: finds while one types, counts, and says when there is nothing.
const DECORATIONS = { matchOverviewRuler: "#7a4d00", activeMatchColorOverviewRuler: "#0a5c6b",
  matchBackground: "#fbe3b0", activeMatchBackground: "#ffb300" };

export function startFind(form, tabs) {
  const text = form.querySelector("input");
  const count = form.querySelector("[data-find-count]");
  const opener = document.querySelector('[data-term-do="find"]');
  const show = ({ resultIndex, resultCount }) => {
    count.textContent = !text.value ? "" : resultCount ? count.dataset.of.replace("%n", resultIndex + 1).replace("%t", resultCount) : count.dataset.none;
  };
  const find = (backwards, incremental = false) => {
    const search = tabs.current?.view.search;
    if (!search) return;
    search[backwards ? "findPrevious" : "findNext"](text.value, { decorations: DECORATIONS, incremental });
  };
  const toggle = (shown = form.hidden) => {
    form.hidden = !shown;
    opener.setAttribute("aria-expanded", String(shown));
    if (shown) return text.select();
    tabs.current?.view.search.clearDecorations();
    tabs.current?.view.xterm.focus();
  };
  tabs.addEventListener("shown", () => {
    const { search } = tabs.current.view;
    if (search.isHeard) return;
    search.isHeard = true;
    search.onDidChangeResults(show);
  });
  text.addEventListener("input", () => { if (text.value) find(false, true); else { count.textContent = ""; tabs.current?.view.search.clearDecorations(); } });
  form.addEventListener("submit", (event) => { event.preventDefault(); find(false); });
  form.querySelector("[data-find-previous]").addEventListener("click", () => find(true));
  form.querySelector("[data-find-close]").addEventListener("click", () => toggle(false));
  form.addEventListener("keydown", (event) => { if (event.key === "Escape") toggle(false); });
  document.addEventListener("bulkhead:find", () => toggle(true));
  return toggle;
}
