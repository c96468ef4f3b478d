// A card with a word's definition, beside the word, while the pointer or the keyboard is on it. Without scripts the
// link leads to the glossary. The card can be hovered and goes away with Escape (WCAG 1.4.13).
const LEAVE_MS = 200;
const GAP_PX = 6;

export function startTermCards() {
  let leaving;
  let shown = null;
  const hide = () => {
    if (!shown) return;
    shown.card.hidden = true;
    shown.link.removeAttribute("aria-describedby");
    shown = null;
  };
  const later = () => { leaving = setTimeout(hide, LEAVE_MS); };
  const show = (link) => {
    clearTimeout(leaving);
    const card = document.getElementById(`term-${link.dataset.term}`);
    if (!card || shown?.link === link) return;
    hide();
    card.hidden = false;
    place(card, link.getClientRects()[0]);
    link.setAttribute("aria-describedby", card.id);
    shown = { card, link };
  };
  const linkOf = (event) => event.target.closest?.("a.defined");
  const isOn = (event) => linkOf(event) ?? event.target.closest?.(".term-card");
  for (const name of ["pointerover", "focusin"]) {
    document.addEventListener(name, (event) => {
      if (event.pointerType === "touch") return; // a tap follows the link
      if (linkOf(event)) show(linkOf(event));
      else if (isOn(event)) clearTimeout(leaving);
    });
  }
  for (const name of ["pointerout", "focusout"]) {
    document.addEventListener(name, (event) => { if (shown && isOn(event)) later(); });
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  document.addEventListener("scroll", hide, { passive: true, capture: true });
}

// Below the word, or above it where there is no room; never over the window's edge.
function place(card, word) {
  const { width, height } = card.getBoundingClientRect();
  const left = Math.min(word.left, innerWidth - width - 16);
  const fitsBelow = word.bottom + GAP_PX + height < innerHeight;
  card.style.left = `${Math.max(16, left)}px`;
  card.style.top = `${fitsBelow ? word.bottom + GAP_PX : Math.max(8, word.top - GAP_PX - height)}px`;
}
