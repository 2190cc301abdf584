"""The fixed parts of a run's page: its style, in light and dark, and the script of its pointer."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1a1d21; --soft: #5b6470;
  --rule: #d9dde3; --line: #1d5fd1; --hold: #8a6d1a; --fall: #b3261e; --in: #0b7a43;
  --out: #b3261e; --band: #f4f6f8 }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e9ed; --soft: #9aa4b0;
  --rule: #333a42; --line: #6ea8ff; --hold: #e0c060; --fall: #ff8a80; --in: #5fd39a;
  --out: #ff8a80; --band: #1c2126 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
p { margin: .25rem 0 } .soft { color: var(--soft) } code { font-size: .9em }
.cards { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; padding: 0; list-style: none }
.cards li { background: var(--band); border-radius: .5rem; padding: .5rem .9rem; min-width: 7rem }
.cards b { display: block; font-size: 1.2rem } .cards span { color: var(--soft) }
figure { margin: 1rem 0 } figcaption { color: var(--soft) } figcaption output { color: var(--ink) }
svg { width: 100%; height: auto; display: block; touch-action: pan-y }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif }
.grid { stroke: var(--rule); stroke-width: 1 } .curve { fill: none; stroke-width: 1.5 }
.worth { stroke: var(--line) } .price { stroke: var(--soft) }
.hold { stroke: var(--hold); stroke-dasharray: 5 4 }
.fall { fill: var(--fall); fill-opacity: .25; stroke: var(--fall); stroke-width: 1 }
.in { fill: var(--in) } .out { fill: none; stroke: var(--out); stroke-width: 2 }
.cross { stroke: var(--ink); stroke-dasharray: 2 3; visibility: hidden }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
.wide { overflow-x: auto } caption { text-align: left; color: var(--soft); padding: .25rem 0 }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid var(--rule) }
th:first-child, td:first-child, .text { text-align: left; overflow-wrap: anywhere }
thead th { color: var(--soft); font-weight: 600 } tbody th { font-weight: 400 }
summary { cursor: pointer; font-weight: 600; margin: 1rem 0 .5rem }
"""

SCRIPT = """
for (const figure of document.querySelectorAll("figure[data-left]")) {
  const svg = figure.querySelector("svg"), cross = svg.querySelector(".cross");
  const output = figure.querySelector("output");
  const data = JSON.parse(figure.querySelector("script").textContent);
  const left = +figure.dataset.left, right = +figure.dataset.right;
  const first = data.at[0], last = data.at[data.at.length - 1];
  const wide = svg.viewBox.baseVal.width;
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * wide;
    const share = Math.min(1, Math.max(0, (x - left) / (right - left)));
    const at = first + share * (last - first);
    let low = 0, high = data.at.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (data.at[middle] < at) low = middle + 1; else high = middle;
    }
    const place = last > first ? left + (data.at[low] - first) / (last - first) * (right - left)
      : left;
    cross.setAttribute("x1", place); cross.setAttribute("x2", place);
    cross.style.visibility = "visible";
    const time = new Date(data.at[low] * 1000).toISOString().slice(0, 19).replace("T", " ");
    output.textContent = time + "  " + data.is[low];
  });
  svg.addEventListener("pointerleave", () => {
    cross.style.visibility = "hidden"; output.textContent = "";
  });
}
"""
