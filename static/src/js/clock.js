// The time left: always there, quiet until ten minutes are left, then said at 10, 5 and 1 in words that stay.
const WARN_AT_MINUTES = [10, 5, 1];

export function startClock(bar, announce) {
  const told = new Set();
  const words = bar.querySelector("[data-time-words]");
  const tick = () => {
    const clock = document.querySelector("[data-clock]");
    if (!clock) { bar.hidden = true; return; }
    const left = Math.ceil((Date.parse(clock.dataset.expires) - Date.now()) / 60000);
    if (Number.isNaN(left)) return;
    const isSoon = left <= WARN_AT_MINUTES[0];
    clock.classList.toggle("soon", isSoon);
    clock.querySelector("[data-clock-text]").textContent = left > 0 ? clock.dataset.left.replace("%s", left) : clock.dataset.over;
    if (!isSoon) bar.hidden = true;
    else words.textContent = left > 0 ? clock.dataset.warn.replace("%s", left) : clock.dataset.over;
    for (const minutes of WARN_AT_MINUTES) if (left > minutes) told.delete(minutes);
    const due = WARN_AT_MINUTES.filter((minutes) => left <= minutes && !told.has(minutes));
    due.forEach((minutes) => told.add(minutes));
    if (!due.length) return;
    bar.hidden = false;
    announce(words.textContent);
  };
  bar.querySelector("[data-time-close]").addEventListener("click", () => { bar.hidden = true; });
  bar.querySelector("[data-time-extend]").addEventListener("click", () => document.querySelector("[data-extend]")?.click());
  tick();
  setInterval(tick, 5000);
  document.addEventListener("bulkhead:replaced", tick);
}
