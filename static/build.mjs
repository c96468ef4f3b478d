// Builds static/dist from static/src and the npm packages: bundles, fonts and one SVG sprite of the icons
// the templates name. Run by `npm run build`; nothing it writes is committed, file names get their hashes
// from collectstatic.
import { build } from "esbuild";
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const outdir = join(here, "dist");
const ICON_USE = /(?:\{% icon "|_icon\.html" with name=")([a-z0-9-]+)"/g;

async function* filesUnder(folder, ending) {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path, ending);
    else if (entry.name.endsWith(ending)) yield path;
  }
}

// The icons are found in the templates, so a sprite never carries one that no page shows.
async function iconNames() {
  const names = new Set(["check", "copy"]);
  for await (const path of filesUnder(join(root, "templates"), ".html")) {
    for (const [, name] of (await readFile(path, "utf8")).matchAll(ICON_USE)) names.add(name);
  }
  return [...names].sort();
}

async function symbol(name) {
  const svg = await readFile(join(root, "node_modules/lucide-static/icons", `${name}.svg`), "utf8");
  const shapes = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
  return `<symbol id="${name}" viewBox="0 0 24 24">${shapes.replace(/\s+/g, " ").trim()}</symbol>`;
}

async function writeSprite() {
  const symbols = await Promise.all((await iconNames()).map(symbol));
  const text = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`;
  await writeFile(join(outdir, "icons.svg"), text);
}

const common = { bundle: true, minify: true, logLevel: "info", legalComments: "linked" };
const source = (name) => join(here, "src", name);

await rm(outdir, { recursive: true, force: true });
await mkdir(outdir, { recursive: true });
await build({ ...common, outdir: join(outdir, "js"), entryPoints: [source("js/site.js"), source("js/exam.js"), source("js/lab.js"), source("js/widgets.js"), source("js/xray.js"), source("js/replay.js")],
  format: "esm", target: "es2022" });
await build({ ...common, outdir: join(outdir, "js"), entryPoints: [source("js/theme-early.js")], format: "iife" });
await build({ ...common, outdir: join(outdir, "css"), entryPoints: [source("css/site.css"), source("css/lab.css"), source("css/xray.css"), source("css/replay.css")],
  loader: { ".woff2": "file" }, assetNames: "fonts/[name]", target: ["chrome111", "firefox113", "safari16.4"] });
// Certificates are drawn by the site, not by a browser: these two are no web fonts.
await mkdir(join(outdir, "print"), { recursive: true });
for (const name of ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"]) {
  await copyFile(join(root, "node_modules/dejavu-fonts-ttf/ttf", name), join(outdir, "print", name));
}
await copyFile(source("icon.svg"), join(outdir, "icon.svg"));
await writeSprite();
