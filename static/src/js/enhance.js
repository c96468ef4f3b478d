// Forms with data-pick are sent without leaving the page: of the page that the server answers with, the named
// elements replace ours. The server needs to know nothing of it, or may answer with less than a page; without scripts the same
// form works.
import { pageOf, pageOfNow, sendForm } from "./sending.js";

export function replacePart(selector, part) {
  const old = document.querySelector(selector);
  if (!old || !part) return false;
  const hadFocus = old.contains(document.activeElement);
  old.replaceWith(part);
  if (hadFocus) {
    part.tabIndex = -1;
    part.focus({ preventScroll: true });
  }
  document.dispatchEvent(new CustomEvent("bulkhead:replaced", { detail: { part } }));
  return true;
}

async function takeAnswer(form, button) {
  form.inert = true;
  try {
    const response = await sendForm(form, button);
    // An answer for programs, or a refusal in one: the present page then says how things stand.
    const page = response.headers.get("content-type")?.includes("html") ? await pageOf(response) : await pageOfNow();
    const picks = form.dataset.pick.split(" ");
    const isPicked = picks.map((selector) => replacePart(selector, page.querySelector(selector)));
    if (!isPicked[0]) return response.redirected ? location.assign(response.url) : location.reload(); // a form's address shows nothing
    // What the site has to say comes once, with this page: it must not be lost with the rest of it.
    document.querySelector("[data-messages]")?.replaceChildren(...(page.querySelector("[data-messages]")?.children ?? []));
    document.dispatchEvent(new CustomEvent("bulkhead:answered", { detail: { page } }));
  } catch {
    form.inert = false;
    form.removeAttribute("data-pick");
    form.requestSubmit(button);
  }
}

// A menu made of <details> closes as menus do: by Escape, by a click elsewhere.
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details[data-end-ways][open]")) if (!menu.contains(except)) menu.open = false;
}

export function startForms() {
  document.addEventListener("pointerdown", ({ target }) => closeMenus(target));
  document.addEventListener("keydown", ({ key, target }) => {
    const menu = key === "Escape" && target.closest?.("details[data-end-ways][open]");
    if (!menu) return;
    closeMenus(null);
    menu.querySelector("summary").focus();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.confirm && !confirm(form.dataset.confirm)) return event.preventDefault();
    if (form.dataset.pick && form.method === "post") {
      event.preventDefault();
      takeAnswer(form, event.submitter);
    }
  });
}
