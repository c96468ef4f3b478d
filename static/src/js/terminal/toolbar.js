// The buttons over the terminal and the banner that says when it is not connected.
import { startFind } from "./find.js";
import { startSettings } from "./settings.js";

const SAID_MS = 8000;

export function startToolbar(bench, tabs) {
  const said = bench.querySelector("[data-term-said]");
  let forgetting;
  const say = (word) => {
    clearTimeout(forgetting);
    said.textContent = tabs.words[word] ?? word ?? "";
    forgetting = setTimeout(() => { said.textContent = ""; }, SAID_MS);
  };
  const copy = async (view) => say(await view?.copy().catch(() => "copyByKeys"));
  const paste = async (view) => say(await view?.paste());
  const toggleFind = startFind(bench.querySelector("[data-find]"), tabs);
  const settings = bench.querySelector("[data-term-settings]");
  startSettings(settings, bench.querySelector('[data-term-do="settings"]'), tabs);
  const button = (name) => bench.querySelector(`[data-term-do="${name}"]`);
  button("copy").addEventListener("click", () => copy(tabs.current?.view));
  button("paste").addEventListener("click", () => paste(tabs.current?.view));
  button("find").addEventListener("click", () => toggleFind());
  document.addEventListener("bulkhead:copy", ({ detail }) => copy(detail.view));
  document.addEventListener("bulkhead:paste", ({ detail }) => paste(detail.view));
  startTranscript(bench.querySelector("[data-term-transcript]"), tabs);
  startReplay(bench, bench.querySelector("[data-term-replay]"));
  startBanner(bench, tabs, say);
}

// Which session it leads to is known when there is one.
function startReplay(bench, link) {
  link?.addEventListener("click", (event) => {
    if (bench.dataset.url) link.href = `${bench.dataset.url}replay/`;
    else event.preventDefault();
  });
}

// The link is given its file in the moment of the click, so that it holds all that has been printed by then.
function startTranscript(link, tabs) {
  link.addEventListener("click", (event) => {
    if (!tabs.current) return event.preventDefault();
    const url = URL.createObjectURL(new Blob([tabs.current.view.transcript()], { type: "text/plain" }));
    link.href = url;
    link.download = `${link.dataset.name}-${tabs.current.number + 1}.txt`;
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  });
}

function startBanner(bench, tabs, say) {
  const banner = bench.querySelector("[data-banner]");
  const part = (name) => banner.querySelector(`[data-banner-${name}]`);
  let counting;
  // Beside the sentence and not in it, and not read aloud: a screen reader would say every second.
  const count = (status) => {
    clearTimeout(counting);
    part("count").textContent = "";
    if (status?.is === "connecting") part("count").textContent = part("count").dataset.connecting;
    if (status?.is !== "lost") return;
    const seconds = Math.max(0, Math.ceil((status.retryAt - performance.now()) / 1000));
    part("count").textContent = part("count").dataset.words.replace("%s", seconds);
    counting = setTimeout(() => count(tabs.current?.view.status), 250);
  };
  const show = () => {
    const status = tabs.current?.view.status;
    const words = tabs.words[status?.is];
    banner.hidden = !words;
    count(status);
    if (!words) return;
    const sentence = words.replace("%s", status.status);
    if (part("text").textContent !== sentence) part("text").textContent = sentence;
    part("now").hidden = status.is !== "lost";
    part("new").hidden = !["exited", "gone"].includes(status.is);
    part("link").hidden = !["signedOut", "broken"].includes(status.is);
    part("link").href = status.is === "signedOut" ? bench.dataset.login : location.href;
    part("link").textContent = status.is === "signedOut" ? tabs.words.signIn : tabs.words.reload;
  };
  tabs.addEventListener("status", show);
  tabs.addEventListener("shown", show);
  part("now").addEventListener("click", () => {
    tabs.current.view.connection.retryNow();
    tabs.current.view.xterm.focus(); // the button goes away under the finger
  });
  part("new").addEventListener("click", () => tabs.ask(tabs.current.machine, tabs.current));
  tabs.addEventListener("refused", ({ detail }) => say(detail.sentence ?? "notOpened"));
}
