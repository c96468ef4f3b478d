// Click-to-run: types a block into its machine's terminal, visibly. Clicks wait in order until a shell is ready, also
// over a reload, and what was typed is sent again after a reconnect (Connection's input log), so none is lost.
const AFTER_INTERRUPT_MS = 250;
const KEPT_MS = 10 * 60 * 1000;
const KEY = "bulkhead.run-queue";

// The queue as indexes of run buttons of this page; a storage that refuses only costs what a reload would lose.
function recallQueue() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    return kept?.path === location.pathname && Date.now() - kept.at < KEPT_MS ? kept.indexes : [];
  } catch { return []; }
}

function rememberQueue(indexes) {
  try { sessionStorage.setItem(KEY, JSON.stringify({ path: location.pathname, at: Date.now(), indexes })); } catch { /* see above */ }
}

export function startRunBlocks(tabs, onClick) {
  const buttons = [...document.querySelectorAll("[data-run]")];
  let queue = recallQueue().filter((index) => index < buttons.length);
  let isTyping = false;
  let asked = null;
  const word = (index) => buttons[index].parentElement.querySelector("[data-run-word]");
  const show = () => buttons.forEach((_, index) => { word(index).textContent = queue.includes(index) ? tabs.words.queued : ""; });

  const next = () => {
    if (isTyping || !queue.length) return;
    const button = buttons[queue[0]];
    const target = tabs.ofMachine(button.dataset.machine);
    if (!target && tabs.open.size && tabs.areMachinesKnown && asked !== queue[0]) {
      asked = queue[0]; // its terminals have been closed: a click on Run asks for one, once
      tabs.ask(button.dataset.machine || undefined);
    }
    if (!target?.view.isReady) return;
    asked = null;
    isTyping = true;
    tabs.show(target.number);
    const type = () => {
      const block = button.closest(".code").querySelector("[data-code]").content.textContent;
      target.view.type(block.replace(/\n*$/, "").replaceAll("\n", "\r") + "\r");
      queue = queue.slice(1);
      rememberQueue(queue);
      show();
      isTyping = false;
      next();
    };
    if (!("interrupt" in button.dataset)) return type();
    target.view.type("\x03");
    setTimeout(type, AFTER_INTERRUPT_MS);
  };

  buttons.forEach((button, index) => {
    button.addEventListener("click", () => {
      queue.push(index);
      rememberQueue(queue);
      show();
      next();
      onClick(tabs.ofMachine(button.dataset.machine)?.view);
    });
  });
  tabs.addEventListener("status", next);
  show();
}
