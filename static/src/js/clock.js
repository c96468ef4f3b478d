// The time left: quiet until ten minutes are left, said politely at 10, 5 and 1.
const WARN_AT_MINUTES = [10, 5, 1];

export function startClock(announce) {
  const told = new Set();
  const tick = () => {
    const clock = document.querySelector("[data-clock]");
    if (!clock) return;
    const left = Math.ceil((Date.parse(clock.dataset.expires) - Date.now()) / 60000);
    clock.hidden = left > WARN_AT_MINUTES[0] || Number.isNaN(left);
    clock.classList.toggle("soon", left <= WARN_AT_MINUTES[1]);
    clock.querySelector("[data-clock-text]").textContent = left > 0 ? clock.dataset.left.replace("%s", left) : clock.dataset.over;
    for (const minutes of WARN_AT_MINUTES) if (left > minutes) told.delete(minutes);
    const due = WARN_AT_MINUTES.filter((minutes) => left <= minutes && !told.has(minutes));
    due.forEach((minutes) => told.add(minutes));
    if (due.length && left > 0) announce(clock.dataset.warn.replace("%s", left));
  };
  tick();
  setInterval(tick, 10000);
  document.addEventListener("bulkhead:replaced", tick);
  return tick;
}
