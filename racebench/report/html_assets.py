"""Style and script of the HTML page, and the policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root {
  color-scheme: light dark;
  --back: #fff; --fore: #1c2128; --dim: #656d76; --line: #d0d7de; --soft: #f3f5f7; --link: #0b57d0;
  --good: #1a7f37; --bad: #c2202e; --warn: #8a5a00; --runs: #eef4fd; --write: #8a5a00; --call: #0a6b75;
  --c0: #8250df; --c1: #0b7285; --c2: #c2410c; --c3: #2b8a3e; --c4: #c2255c; --c5: #1c5fc4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #14171c; --fore: #e3e6ea; --dim: #99a2ad; --line: #343b44; --soft: #1d2229; --link: #8ab4f8;
    --good: #56c271; --bad: #ff7b84; --warn: #e0ac4a; --runs: #1c2736; --write: #e0ac4a; --call: #5ccbd6;
    --c0: #b794f6; --c1: #4fc3d9; --c2: #ff9f6b; --c3: #6fd08c; --c4: #ff8fb8; --c5: #86b6ff;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem 1.2rem 4rem; max-width: 76rem; overflow-wrap: break-word;
  background: var(--back); color: var(--fore); font: 15px/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.5rem; margin: .3rem 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; padding-bottom: .2rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
a { color: var(--link); }
code, pre, .mono { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
pre {
  margin: .6rem 0 0; padding: .5rem .7rem; background: var(--soft); border-radius: 5px; white-space: pre-wrap;
}
.dim { color: var(--dim); }
.wide { overflow-x: auto; padding: 0 2px 3px; }
.lead { font-weight: 600; margin: .2rem 0 .7rem; }
table { border-collapse: collapse; }
td, th { padding: .22rem .6rem; text-align: left; vertical-align: top; font-weight: normal; }
.rows { width: 100%; }
.rows td:nth-child(3) { white-space: nowrap; }
.rows th { color: var(--dim); border-bottom: 1px solid var(--line); }
.rows td { border-bottom: 1px solid var(--soft); }
.grid th.protocol { vertical-align: bottom; padding: .2rem .25rem; }
.grid th.protocol span {
  writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap;
  max-height: 18rem; overflow: hidden; text-overflow: ellipsis;
}
.grid td, .grid tbody th { border-top: 1px solid var(--line); }
.grid tbody th, .grid td { white-space: nowrap; padding: .12rem .5rem; }
.grid tbody th { max-width: 22rem; overflow: hidden; text-overflow: ellipsis; }
.grid td { text-align: center; min-width: 2.4rem; }
.grid td.unexpected, .grid td.missed { background: var(--soft); outline: 2px solid currentColor; }
.as_expected { color: var(--good); }
.unexpected { color: var(--bad); font-weight: 600; }
.missed, .unknown { color: var(--warn); font-weight: 600; }
.grid td a { color: inherit; }
.grid td.off { opacity: .12; }
.filter { display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: baseline; margin: .8rem 0; }
.finding { border: 1px solid var(--line); border-radius: 7px; padding: .8rem 1rem; margin: 0 0 1rem; }
.finding:target { outline: 2px solid var(--link); }
.changed { color: var(--warn); font-weight: 600; white-space: nowrap; }
.wants { color: var(--bad); }
.facts td, .facts th { padding: .1rem .9rem .1rem 0; }
.facts th { color: var(--dim); }
.lanes { display: block; margin: .7rem 0; }
.lanes text {
  font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: var(--fore);
  white-space: pre;
}
.lanes .thread { font-weight: 700; font-size: 13px; }
.lanes .number { text-anchor: end; fill: var(--dim); }
.lanes .switch, .lanes .folded, .lanes .step { fill: var(--dim); }
.lanes .call { fill: var(--call); }
.lanes .take { font-weight: 700; }
.lanes .write { fill: var(--write); }
.lanes .wants { fill: var(--bad); font-weight: 700; }
.lanes .runs { fill: var(--runs); }
.lanes line.switch { stroke: var(--dim); stroke-dasharray: 3 3; }
.lanes line.edge { stroke: var(--line); }
.c0 { fill: var(--c0); } .c1 { fill: var(--c1); } .c2 { fill: var(--c2); }
.c3 { fill: var(--c3); } .c4 { fill: var(--c4); } .c5 { fill: var(--c5); }
[hidden] { display: none; }
@media print {
  :root {
    --back: #fff; --fore: #000; --dim: #444; --line: #999; --soft: #f3f3f3; --link: #000; --runs: #f0f0f0;
    --good: #14602a; --bad: #a0101c; --warn: #6b4500; --write: #6b4500; --call: #064f57;
    --c0: #6a3fc0; --c1: #0b6172; --c2: #a5360a; --c3: #226c31; --c4: #a01f4c; --c5: #174fa3;
  }
  * { print-color-adjust: exact; }
  body { max-width: none; font-size: 10pt; padding: 0; }
  .filter { display: none; }
  .wide { overflow: visible; }
  .lanes { max-width: 100%; height: auto; }
  .grid { font-size: 7.5pt; }
  .grid code { font-size: 7.5pt; }
  .grid tbody th, .grid td { padding: .1rem .2rem; }
  .grid td { min-width: 0; }
  h2, h3 { break-after: avoid; }
  .facts, .grid tr, .rows tr { break-inside: avoid; }
}
"""

SCRIPT = """
for (const button of document.querySelectorAll("input[name=show]")) {
  button.addEventListener("change", () => {
    for (const one of document.querySelectorAll("[data-verdict]")) {
      const off = button.value !== "all" && !one.dataset.verdict.split(" ").includes(button.value);
      if (one.tagName === "TD") one.classList.toggle("off", off); else one.hidden = off;
    }
    for (const row of document.querySelectorAll(".grid tbody tr"))
      row.hidden = !row.querySelector("[data-verdict]:not(.off)");
  });
}
document.querySelector(".filter").hidden = false;
"""


def policy() -> str:
    """A Content-Security-Policy: this style and this script, and nothing from anywhere."""
    return (
        f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
