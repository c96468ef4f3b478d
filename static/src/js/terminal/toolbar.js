// The buttons over the terminal, the search box and the reconnect banner.
import { recall, remember } from "../remember.js";

export function startToolbar(bench, tabs) {
  const find = bench.querySelector("[data-find]");
  const text = find.querySelector("input");
  const toggleFind = (shown) => {
    find.hidden = !shown;
    if (shown) text.focus();
    else tabs.current?.view.xterm.focus();
  };
  const setAll = (options) => { for (const { view } of tabs.open.values()) view.set(options); };
  const grow = (by) => {
    const fontSize = Math.max(9, Math.min(32, Number(recall("font-size", 14)) + by));
    remember("font-size", fontSize);
    setAll({ fontSize });
  };
  const actions = {
    copy: () => tabs.current?.view.copy(),
    paste: () => tabs.current?.view.paste(),
    find: () => toggleFind(find.hidden),
    smaller: () => grow(-1),
    larger: () => grow(1),
    reader: (button) => {
      const on = recall("reader", "") !== "on";
      remember("reader", on ? "on" : "");
      button.setAttribute("aria-pressed", String(on));
      setAll({ reader: on });
    },
  };
  for (const button of bench.querySelectorAll("[data-term-do]")) {
    const name = button.dataset.termDo;
    if (name === "reader") button.setAttribute("aria-pressed", String(recall("reader", "") === "on"));
    button.addEventListener("click", () => actions[name](button));
  }
  find.addEventListener("submit", (event) => { event.preventDefault(); tabs.current?.view.search.findNext(text.value); });
  find.querySelector("[data-find-previous]").addEventListener("click", () => tabs.current?.view.search.findPrevious(text.value));
  find.querySelector("[data-find-close]").addEventListener("click", () => toggleFind(false));
  find.addEventListener("keydown", (event) => { if (event.key === "Escape") toggleFind(false); });
  document.addEventListener("bulkhead:find", () => toggleFind(true));
  startTranscript(bench.querySelector("[data-term-transcript]"), tabs);
  new MutationObserver(() => setAll({})).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  startBanner(bench, tabs);
}

// The link is given its file in the moment of the click, so that it holds all that has been printed by then.
function startTranscript(link, tabs) {
  link.addEventListener("click", (event) => {
    if (!tabs.current) return event.preventDefault();
    const url = URL.createObjectURL(new Blob([tabs.current.view.transcript()], { type: "text/plain" }));
    link.href = url;
    link.download = `terminal-${tabs.current.number + 1}.txt`;
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  });
}

function startBanner(bench, tabs) {
  const banner = bench.querySelector("[data-banner]");
  const now = banner.querySelector("[data-banner-now]");
  const link = banner.querySelector("[data-banner-link]");
  const show = () => {
    const status = tabs.current?.view.status;
    const words = tabs.words[status?.is];
    banner.hidden = !words;
    if (!words) return;
    banner.querySelector("[data-banner-text]").textContent = words.replace("%s", status.seconds);
    now.hidden = status.is !== "lost";
    link.hidden = !["signedOut", "broken"].includes(status.is);
    link.href = status.is === "signedOut" ? bench.dataset.login : location.href;
    link.textContent = status.is === "signedOut" ? tabs.words.signIn : tabs.words.reload;
  };
  tabs.addEventListener("status", show);
  tabs.addEventListener("shown", show);
  now.addEventListener("click", () => tabs.current.view.connection.retryNow());
}
