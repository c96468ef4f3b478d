// An exam's answers are kept as they are chosen, so that neither a reload nor a closed tab costs one. What can't be
// sent is sent again. Without scripts the form's button "Keep my answers" does the same.
import { sendForm } from "./sending.js";

const TYPING_MS = 500;
const AGAIN_MS = 4000;
const form = document.querySelector("[data-exam]");
const status = form.querySelector("[data-kept]");
let timer = 0;
let isChanged = false;
let isSending = false;
// The questions that were touched here. The exam may be open in another tab, too: its answers are not ours to send as they
// were when this page was made.
const changed = new Set();

form.querySelector("[data-save]").hidden = true;

function saveSoon(wait) {
  clearTimeout(timer);
  timer = setTimeout(save, wait);
}

async function save() {
  if (isSending) return saveSoon(TYPING_MS); // one after the other: an older form must not arrive last
  isSending = true;
  isChanged = false;
  try {
    const response = await sendForm(form);
    if (response.redirected) return tryLater("signedOutWords"); // to the sign-in page, which says 200
    if (response.status === 409) return location.reload(); // handed in, in another tab
    if (!response.ok) throw new Error(response.statusText);
    status.textContent = status.dataset.keptWords;
  } catch {
    tryLater("lostWords");
  } finally {
    isSending = false;
  }
}

function tryLater(words) {
  isChanged = true;
  status.textContent = status.dataset[words];
  saveSoon(AGAIN_MS);
}

// Chosen before this script came, on a slow line.
const isTouched = (field) => ("defaultChecked" in field && field.checked !== field.defaultChecked)
  || (/^(text|number)$/.test(field.type) && field.value !== field.defaultValue);

const note = (field) => changed.add(field.name.split(".")[0]);

form.addEventListener("formdata", ({ formData }) => formData.set("changed", [...changed].join(" ")));
form.addEventListener("input", (event) => {
  note(event.target);
  isChanged = true;
  saveSoon(event.target.matches("[type=radio], [type=checkbox]") ? 0 : TYPING_MS);
});
form.addEventListener("submit", () => {
  clearTimeout(timer);
  isChanged = false;
});
addEventListener("pagehide", () => { if (isChanged) sendForm(form, null, { keepalive: true }); });
[...form.elements].filter(isTouched).forEach(note);
if (changed.size) save();
