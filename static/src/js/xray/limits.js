// Sliders for the limits that a lab lets its student move. The kernel's answer comes back in the facts.
import { bytes } from "./draw.js";

const READ = { memory: (group) => group.memory.limit_bytes / (1 << 20), cpus: (group) => group.cpu.limit_cpus, pids: (group) => group.pids.limit };
const TELL = { memory: (value) => bytes(value * (1 << 20)), cpus: (value) => value.toFixed(2), pids: String };

export function startLimits(root, sessionId) {
  const form = root.querySelector("[data-limits]");
  if (!form) return null;
  const said = form.querySelector("[data-said]");
  const sliders = [...form.querySelectorAll("input[type=range]")];
  const tell = (slider) => { form.querySelector(`output[for="${slider.id}"]`).textContent = TELL[slider.name](Number(slider.value)); };
  let machine = "";
  for (const slider of sliders) {
    slider.addEventListener("input", () => { slider.moved = true; tell(slider); });
    slider.addEventListener("change", () => send(slider));
  }
  async function send(slider) {
    const body = new FormData(form);
    for (const other of sliders) if (other !== slider) body.delete(other.name);
    body.set("machine", machine);
    said.textContent = "";
    const response = await fetch(form.dataset.url.replace("00000000-0000-0000-0000-000000000000", sessionId()), { method: "POST", body, headers: { Accept: "application/json" } }).catch(() => null);
    if (!response?.ok || response.redirected) said.textContent = form.dataset.failed;
    setTimeout(() => { slider.moved = false; }, 1500);
  }
  return {
    refused(text) { said.textContent = text; },
    show(facts, name) {
      machine = name;
      const around = facts.cgroups?.["/.."];
      for (const slider of sliders) {
        if (slider.moved || slider.matches(":active") || !around) continue;
        slider.value = READ[slider.name](around);
        tell(slider);
      }
    },
  };
}
