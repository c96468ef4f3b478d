// Under 900 px lesson, terminal and X-ray are tabs; elsewhere the bench has tabs of its own. Returns show(name).
export function startPaneTabs(panes) {
  const buttons = [...document.querySelectorAll("[data-show]")];
  const show = (name) => {
    panes.dataset.shown = name;
    panes.dispatchEvent(new CustomEvent("bulkhead:pane", { detail: name }));
    for (const button of buttons) {
      const isShown = button.dataset.show === name;
      button.setAttribute("aria-selected", String(isShown));
      button.tabIndex = isShown ? 0 : -1;
    }
  };
  buttons.forEach((button, index) => {
    button.addEventListener("click", () => show(button.dataset.show));
    button.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      const other = buttons[(index + by + buttons.length) % buttons.length];
      show(other.dataset.show);
      other.focus();
    });
  });
  return show;
}
