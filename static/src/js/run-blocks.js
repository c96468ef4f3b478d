// Click-to-run: types a block into its machine's terminal, visibly. Clicks wait in order until a shell is
// ready, and what was typed is sent again after a reconnect (Connection's input log), so none is lost.
const AFTER_INTERRUPT_MS = 250;

export function startRunBlocks(tabs, showTerminal) {
  const queue = [];
  let isTyping = false;
  const next = () => {
    if (isTyping || !queue.length) return;
    const { button, block, word } = queue[0];
    const target = tabs.ofMachine(button.dataset.machine);
    if (!target?.view.isReady) return;
    queue.shift();
    isTyping = true;
    word.textContent = "";
    tabs.show(target.number);
    const type = () => {
      target.view.type(block.replace(/\n*$/, "").replaceAll("\n", "\r") + "\r");
      target.view.xterm.focus();
      isTyping = false;
      next();
    };
    if (!("interrupt" in button.dataset)) return type();
    target.view.type("\x03");
    setTimeout(type, AFTER_INTERRUPT_MS);
  };
  for (const button of document.querySelectorAll("[data-run]")) {
    const word = button.parentElement.querySelector("[data-run-word]");
    button.hidden = false;
    button.addEventListener("click", () => {
      queue.push({ button, word, block: button.closest(".code").querySelector("[data-code]").content.textContent });
      word.textContent = tabs.words.queued;
      showTerminal();
      next();
      if (!document.querySelector("[data-terminals]:not([hidden])")) document.querySelector("[data-start]")?.focus();
    });
  }
  tabs.addEventListener("status", next);
}
