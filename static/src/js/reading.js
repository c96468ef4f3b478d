// Remembers quietly which sections of a lesson were read to their end: the end stood in the window for a moment.
// If that fails nothing is said; the lesson's end has buttons for the same.
const LOOKED_AT_MS = 1500;

function showRead(step) {
  const link = document.querySelector(`[data-step-link="${CSS.escape(step)}"]`);
  if (link) {
    link.dataset.read = "";
    link.querySelector("[data-read-word]").hidden = false;
  }
  const words = document.querySelector("[data-reading-words]");
  const links = [...document.querySelectorAll("[data-step-link]")];
  const read = links.filter((each) => "read" in each.dataset).length;
  words.textContent = document.getElementById("reading").dataset.words.replace("%r", read).replace("%t", links.length);
}

async function send(url, step) {
  const body = new FormData(document.querySelector("#reading form"));
  body.set("step", step);
  body.set("quiet", "yes");
  const response = await fetch(url, { method: "POST", body, headers: { "X-Requested-With": "fetch" } });
  if (response.status === 204) showRead(step); // whoever is signed out gets the sign-in page, and that says 200
}

export function startReadingMarks() {
  const part = document.getElementById("reading");
  if (!part) return;
  const timers = new Map();
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      clearTimeout(timers.get(target));
      if (!isIntersecting) continue;
      timers.set(target, setTimeout(() => {
        seen.unobserve(target);
        send(part.dataset.reading, target.parentElement.dataset.step).catch(() => {});
      }, LOOKED_AT_MS));
    }
  });
  for (const section of document.querySelectorAll("section[data-step]")) {
    if ("read" in (document.querySelector(`[data-step-link="${CSS.escape(section.dataset.step)}"]`)?.dataset ?? {})) continue;
    const end = document.createElement("span");
    end.className = "section-end";
    section.append(end);
    seen.observe(end);
  }
}
