// How many servers a company needs. Begins with the student's own measurement, also when it is sent later.
import { fill, plan } from "./sums.js";

const number = new Intl.NumberFormat(document.documentElement.lang || "en", { maximumFractionDigits: 0 });

export function startCalculator(widget) {
  const form = widget.querySelector("[data-fields]");
  const result = widget.querySelector("[data-result]");
  const show = () => {
    const values = Object.fromEntries(["servers", "busy", "target", "cost"].map((name) => [name, form.elements[name].valueAsNumber]));
    if (!form.checkValidity() || Object.values(values).some(Number.isNaN)) {
      result.textContent = result.dataset.wrong;
      return;
    }
    const found = plan(values);
    const words = found.fewer >= 0 ? result.dataset.text : result.dataset.more;
    result.textContent = fill(words, { servers: values.servers, needed: found.needed, new_busy: number.format(found.newBusy),
      before: number.format(found.before), after: number.format(found.after), saved: number.format(found.saved) });
  };
  form.hidden = false;
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("bulkhead:replaced", ({ detail }) => {
    const measured = parseFloat(detail.part.querySelector(`[data-measured="${widget.dataset.source}"]`)?.textContent);
    if (Number.isNaN(measured)) return;
    form.elements.busy.value = measured;
    show();
  });
  show();
}
