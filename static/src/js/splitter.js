// The handle between lesson and terminal: mouse, touch, arrow keys; remembered.
import { recall, remember } from "./remember.js";

export function startSplitter(handle, panes) {
  const low = Number(handle.getAttribute("aria-valuemin"));
  const high = Number(handle.getAttribute("aria-valuemax"));
  const set = (share) => {
    const value = Math.round(Math.max(low, Math.min(high, share)));
    panes.style.setProperty("--lesson-share", `${value}%`);
    handle.setAttribute("aria-valuenow", String(value));
    remember("split", value);
  };
  const now = () => Number(handle.getAttribute("aria-valuenow"));
  const kept = Number(recall("split", 0));
  if (kept) set(kept);
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    handle.classList.add("moving");
  });
  handle.addEventListener("pointermove", (event) => {
    if (handle.hasPointerCapture(event.pointerId)) set(((event.clientX - panes.getBoundingClientRect().left) / panes.clientWidth) * 100);
  });
  handle.addEventListener("lostpointercapture", () => handle.classList.remove("moving"));
  handle.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: now() - 2, ArrowRight: now() + 2, Home: low, End: high }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    set(to);
  });
}
