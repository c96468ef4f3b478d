// Web previews: tabs beside the terminals, each with a frame of an origin of its own. The address in the frame is the
// site's, which sends its owner on with a fresh ticket; so loading it again always opens, also after a restart.
export function startPreviews(bench, tabs) {
  const all = [...bench.querySelectorAll("[data-preview]")].map((panel) => {
    const button = Object.assign(document.createElement("button"), {
      type: "button", id: `preview-tab-${panel.dataset.preview}`, textContent: panel.dataset.title, tabIndex: -1 });
    button.setAttribute("role", "tab");
    button.setAttribute("aria-controls", panel.id);
    const tab = Object.assign(document.createElement("span"), { className: "term-tab" });
    tab.setAttribute("role", "presentation");
    tab.append(button);
    tabs.list.append(tab);
    return { panel, button, frame: panel.querySelector("iframe"), link: panel.querySelector("[data-preview-link]") };
  });
  const url = ({ panel }) => `${bench.dataset.url}previews/${panel.dataset.preview}/`;
  const load = (one) => {
    one.run = document.getElementById("session-state").dataset.generation;
    one.frame.src = url(one);
  };
  const select = (shown) => {
    for (const one of all) {
      one.panel.hidden = one !== shown;
      one.button.setAttribute("aria-selected", String(one === shown));
      one.button.tabIndex = one === shown ? 0 : -1;
    }
  };
  const show = (one) => {
    tabs.veil();
    select(one);
    if (one.run !== document.getElementById("session-state").dataset.generation) load(one);
  };
  for (const one of all) {
    one.button.addEventListener("click", () => show(one));
    one.panel.querySelector("[data-preview-reload]").addEventListener("click", () => load(one));
    one.link.addEventListener("click", () => { one.link.href = url(one); });
  }
  tabs.addEventListener("shown", () => select(null));
  select(null);
}
