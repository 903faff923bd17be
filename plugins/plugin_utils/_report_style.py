# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: how the report's page looks."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --panel: #f5f7fa; --ink: #18212f; --soft: #5a6779; --line: #dde3ea;
  --batch: #eef2f7; --rate: #2b6cb0; --backlog: #8a63c9; --good: #1a7f4b; --bad: #c0322b;
  --release0: #94a7bf; --release1: #1f9e8a; --release2: #8a63c9; --release3: #b7791f;
  --paused: #f0b429; --silent: #e26d64; --unseen: #c5ccd6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #11161d; --panel: #1a212b; --ink: #e6ebf2; --soft: #97a4b6; --line: #2c3643;
    --batch: #1b232e; --rate: #63a4ea; --backlog: #b497ea; --good: #3fbf7f; --bad: #f0776e;
    --release0: #5f7590; --release1: #2cb5a0; --release2: #9d7fdb; --release3: #d39b45;
    --paused: #e0a92e; --silent: #d5605a; --unseen: #465161;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1.5rem 3rem; max-width: 74rem;
  background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
}
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.2rem 0 .8rem; font-size: 1.1rem; }
.when { margin: .3rem 0 1.4rem; color: var(--soft); }
.verdict { font-weight: 600; }
.verdict.good, td.good { color: var(--good); }
.verdict.bad, td.bad { color: var(--bad); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .8rem;
  margin: 0; }
.figures div { padding: .7rem .9rem; border-radius: 8px; background: var(--panel); }
.figures dt { color: var(--soft); font-size: .85rem; }
.figures dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.figures small { color: var(--soft); font-size: .85rem; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: 0 0 .8rem; padding: 0;
  list-style: none; color: var(--soft); font-size: .85rem; }
.legend svg { width: 14px; height: 14px; margin-right: .4rem; vertical-align: -2px; }
.scroll { overflow-x: auto; }
.scroll > svg { display: block; width: 100%; min-width: 720px; height: auto; }
svg text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
svg text.heading { fill: var(--ink); font-weight: 600; }
svg text.name { fill: var(--ink); }
svg text.steady-name { fill: var(--rate); }
.batch { fill: var(--batch); }
.grid { stroke: var(--line); stroke-width: 1; }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
.area { opacity: .16; stroke: none; }
.curve.rate { stroke: var(--rate); } .area.rate { fill: var(--rate); }
.curve.backlog { stroke: var(--backlog); } .area.backlog { fill: var(--backlog); }
.steady { stroke: var(--rate); stroke-width: 1; stroke-dasharray: 5 4; }
.release0 { fill: var(--release0); } .release1 { fill: var(--release1); }
.release2 { fill: var(--release2); } .release3 { fill: var(--release3); }
.paused { fill: var(--paused); } .silent { fill: var(--silent); }
.unseen { fill: url(#hatch); }
.hatch-ground { fill: var(--panel); } .hatch-line { stroke: var(--unseen); stroke-width: 5; }
.moment { stroke: var(--ink); stroke-width: 1.2; opacity: .65; }
.gate circle { stroke: var(--ground); stroke-width: 1.5; }
.gate.good circle { fill: var(--good); } .gate.bad circle { fill: var(--bad); }
.gate path { fill: none; stroke: var(--ground); stroke-width: 1.6; stroke-linecap: round;
  stroke-linejoin: round; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-size: .85rem; font-weight: 500; text-align: left; }
th, td { padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { padding-right: 1.8rem; text-align: right; white-space: nowrap; }
td.cause { color: var(--bad); overflow-wrap: anywhere; }
code { font: .92em ui-monospace, "SF Mono", "Liberation Mono", monospace; overflow-wrap: anywhere; }
.note { padding: .8rem 1rem; border-radius: 8px; background: var(--panel); color: var(--soft); }
dl.running { margin: 0; }
dl.running dt { margin-top: .5rem; } dl.running dd { margin: 0; color: var(--soft); }
@media print {
  :root { --ground: #ffffff; --panel: #f5f7fa; --ink: #000000; --soft: #444444; --line: #cccccc;
    --batch: #f0f0f0; }
  body { max-width: none; padding: 0; font-size: 11px; print-color-adjust: exact;
    -webkit-print-color-adjust: exact; }
  .scroll { overflow: visible; } .scroll > svg { min-width: 0; }
  tr, .figures div { break-inside: avoid; } h2 { break-after: avoid; }
}
"""
