// Under 900 px lesson and terminal are tabs. Returns show(name).
export function startPaneTabs(panes) {
  const buttons = [...document.querySelectorAll("[data-show]")];
  const show = (name) => {
    panes.dataset.shown = name;
    for (const button of buttons) {
      const isShown = button.dataset.show === name;
      button.setAttribute("aria-selected", String(isShown));
      button.tabIndex = isShown ? 0 : -1;
    }
  };
  buttons.forEach((button, index) => {
    button.addEventListener("click", () => show(button.dataset.show));
    button.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      const other = buttons[(index + 1) % buttons.length];
      show(other.dataset.show);
      other.focus();
    });
  });
  return show;
}
