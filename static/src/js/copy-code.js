// Copy buttons of code blocks.
import { writeClipboard } from "./clipboard.js";

const text = (button) => button.closest(".code").querySelector("[data-code]").content.textContent;

export function startCopyButtons() {
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest?.("[data-copy-code]");
    if (!button) return;
    await writeClipboard(text(button));
    const word = button.querySelector("span");
    const before = button.dataset.before ??= word.textContent;
    word.textContent = button.dataset.done;
    setTimeout(() => { word.textContent = before; }, 2000);
  });
}
