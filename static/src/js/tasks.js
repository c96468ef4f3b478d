// Task marks in the text, the step dots, the counts and the line that names the next task follow the notices.
export function startTasks(words, announce) {
  const tasks = () => [...document.querySelectorAll("[data-task]")];
  const isPassed = (task) => task.dataset.state === "passed"; // in this run
  const isEarned = (task) => "passed" in task.dataset; // ever

  const take = ({ task: id, state, saw, why }) => {
    const task = document.getElementById(`task-${id}`);
    if (!task || isPassed(task)) return;
    task.dataset.state = state;
    const word = { passed: words.passed, pending: words.pending, broken: words.broke }[state];
    const rest = state === "passed" ? saw : why;
    const answer = task.querySelector("[data-answer]");
    answer.replaceChildren();
    if (word) answer.append(Object.assign(document.createElement("span"), { className: "word", textContent: word }), rest ? `: ${rest}` : "");
    if (state === "passed") {
      task.dataset.passed = "";
      task.classList.add("just-passed");
      announce(`${task.querySelector(".title").textContent.trim()}: ${word}`);
    }
    count();
  };

  // After a reconnect or a restart: the server's page knows what was missed.
  const takePage = (page) => {
    for (const task of tasks()) {
      const theirs = page.getElementById(task.id);
      const offersMore = theirs?.querySelector("form") && !task.querySelector("form");
      if (theirs && (theirs.dataset.state !== task.dataset.state || offersMore)) task.replaceWith(document.adoptNode(theirs));
    }
    count();
  };

  const count = () => {
    const all = tasks();
    const passed = all.filter(isEarned).length;
    const tab = document.querySelector("[data-about-lesson]");
    if (tab) tab.textContent = `${passed}/${all.length}`;
    const line = document.querySelector("[data-progress-words]");
    if (line) line.textContent = line.dataset.progressWords.replace("%p", passed).replace("%t", all.length);
    for (const link of document.querySelectorAll("[data-step-link]")) {
      const own = all.filter((task) => task.closest("[data-step]")?.dataset.step === link.dataset.stepLink);
      const done = own.filter(isEarned).length;
      link.dataset.done = !own.length || !done ? "none" : done === own.length ? "all" : "some";
    }
    tellLater(all);
    nameNext(all.find((task) => !isPassed(task)));
  };

  // The worker looks at the tasks of one step after the other: whoever works ahead is told why nothing answers.
  const tellLater = (all) => {
    const isRunning = document.getElementById("session-state")?.dataset.state === "ready";
    const stepOf = (task) => task.closest("[data-step]");
    const now = all.find((task) => !isPassed(task));
    for (const task of all) task.toggleAttribute("data-later", Boolean(isRunning && now) && stepOf(task) !== stepOf(now));
  };

  // One line at the foot of the lesson names the next task while that is out of sight; nothing moves for it.
  const bar = document.querySelector("[data-next-task]");
  let next = null;
  const sight = bar && new IntersectionObserver(([{ isIntersecting }]) => bar.classList.toggle("in-sight", isIntersecting), { root: bar.closest(".lesson-pane") });
  const nameNext = (task) => {
    if (!bar || task === next) return;
    if (next) sight.unobserve(next);
    next = task;
    bar.classList.toggle("all-done", !task);
    if (!task) return;
    const link = bar.querySelector("[data-next-link]");
    link.href = `#${task.id}`;
    link.textContent = task.querySelector(".title").dataset.title;
    sight.observe(task);
  };
  count();
  return { take, takePage };
}
