// Terminal or X-ray on the right. The X-ray's code and style come with its first opening and not before.
export function startXrayTab(bench, panes, showPane) {
  const buttons = [...bench.querySelectorAll("[data-view]")];
  const root = bench.querySelector("[data-xray]");
  let panel = null;
  let sessionId = bench.dataset.session;

  const show = async (view) => {
    bench.dataset.shown = view;
    for (const button of buttons) {
      button.setAttribute("aria-selected", String(button.dataset.view === view));
      button.tabIndex = button.dataset.view === view ? 0 : -1;
    }
    if (view === "xray") (panel ??= await loadPanel(root)).open(sessionId);
    else panel?.close();
  };
  buttons.forEach((button, index) => {
    button.addEventListener("click", () => choose(button.dataset.view));
    button.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      const other = buttons[(index + 1) % buttons.length];
      choose(other.dataset.view);
      other.focus();
    });
  });
  // On a phone the two are tabs of the page, beside the lesson.
  const choose = (view) => (panes.dataset.shown === "lesson" ? show(view) : showPane(view));
  panes.addEventListener("bulkhead:pane", ({ detail }) => { if (detail !== "lesson") show(detail); });
  document.addEventListener("bulkhead:session", ({ detail }) => {
    sessionId = detail.id;
    if (bench.dataset.shown === "xray") panel?.open(sessionId);
    feedTheLesson(root, sessionId);
  });
  feedTheLesson(root, sessionId);
}

// Drawings of the lesson that show the reader's own sandbox.
let live = null;
async function feedTheLesson(root, sessionId) {
  if (!document.querySelector("[data-fact], [data-fact-if]")) return;
  const { Live } = sessionId ? await import(root.dataset.script) : {};
  live?.end();
  live = sessionId ? new Live(sessionId) : null;
}

async function loadPanel(root) {
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: root.dataset.style });
  const styled = new Promise((done) => { style.onload = style.onerror = done; });
  document.head.append(style);
  const [{ Panel }] = await Promise.all([import(root.dataset.script), styled]);
  return new Panel(root);
}
