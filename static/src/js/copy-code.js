// Copy buttons of code blocks.
const text = (button) => button.closest(".code").querySelector("[data-code]").content.textContent;

export function startCopyButtons() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy-code]")) {
    button.hidden = false;
    const word = button.querySelector("span");
    const before = word.textContent;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text(button));
      word.textContent = button.dataset.done;
      setTimeout(() => { word.textContent = before; }, 2000);
    });
  }
}
