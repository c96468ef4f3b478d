// The page of recordings: asciinema-player on one recording, and the tasks passed in it as a list that leads there.
import { create } from "asciinema-player";

const home = document.querySelector("[data-film]");
const FONT = getComputedStyle(document.documentElement).getPropertyValue("--font-mono");
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

// The tasks are markers of the file: [seconds, "m", label].
const markersOf = (file) => file.split("\n").filter((line) => line.includes('"m"')).map((line) => JSON.parse(line)).filter(([, kind]) => kind === "m");

function listMarkers(player, markers) {
  const list = document.querySelector(".markers");
  markers.forEach(([at, , label], marker) => {
    const item = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
    const time = Object.assign(document.createElement("span"), { className: "time", textContent: ` ${clock(at)}` });
    button.addEventListener("click", () => player.seek({ marker }));
    item.append(button, time);
    list.append(item);
  });
  list.closest("[data-markers]").hidden = !markers.length;
}

async function show() {
  const response = await fetch(home.dataset.film);
  if (!response.ok) throw new Error(`the site answers ${response.status}`);
  const file = await response.text();
  const player = create({ data: file }, home, { fit: "both", idleTimeLimit: 2, terminalFontFamily: FONT, theme: "bulkhead",
    poster: "npt:0:02", cursorMode: still ? "steady" : "blinking", controls: true });
  // It takes keys, so keys must reach it: by itself it is focused by a click only.
  Object.assign(home.querySelector(".ap-wrapper"), { tabIndex: 0, role: "group", ariaLabel: home.dataset.label });
  listMarkers(player, markersOf(file));
}

show().catch(() => home.replaceWith(Object.assign(document.createElement("p"), { textContent: home.dataset.failed })));
