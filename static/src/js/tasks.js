// Task marks in the text, the step dots and the count follow the notices; the words change in place.
export function startTasks(notices, words, announce) {
  notices.addEventListener("task", ({ detail }) => {
    const task = document.querySelector(`[data-task="${CSS.escape(detail.task)}"]`);
    if (!task || task.dataset.state === "passed") return;
    task.dataset.state = detail.state;
    const word = { passed: words.passed, pending: words.pending, broken: words.broke }[detail.state];
    const rest = detail.state === "passed" ? detail.saw : detail.why;
    const answer = task.querySelector("[data-answer]");
    answer.replaceChildren();
    if (word) answer.append(Object.assign(document.createElement("span"), { className: "word", textContent: word }), rest ? `: ${rest}` : "");
    if (detail.state === "passed") {
      task.classList.add("just-passed");
      announce(`${task.querySelector(".title").textContent.trim()}: ${word}`);
    }
    countUp();
  });
}

function countUp() {
  const tasks = [...document.querySelectorAll("[data-task]")];
  const passed = (list) => list.filter((task) => task.dataset.state === "passed").length;
  const tab = document.querySelector("[data-about-lesson]");
  if (tab) tab.textContent = `${passed(tasks)}/${tasks.length}`;
  for (const link of document.querySelectorAll("[data-step-link]")) {
    const own = tasks.filter((task) => task.closest("[data-step]")?.dataset.step === link.dataset.stepLink);
    const done = passed(own);
    link.dataset.done = !own.length || !done ? "none" : done === own.length ? "all" : "some";
  }
}
