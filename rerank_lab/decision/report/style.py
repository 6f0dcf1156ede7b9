"""The style of a report: light and dark, on a phone and on A4."""

STYLE = """\
:root { --text: #1c2630; --muted: #5d6b78; --back: #ffffff; --surface: #f3f5f7; --border: #d5dbe1;
  --accent: #1d5c96; --warn: #a85400; --p0: #356fa8; --p1: #b9770e; --p2: #1f8a7f; --p3: #9c4f96;
  --p4: #7a7f35; --p5: #5d6b78; }
@media (prefers-color-scheme: dark) { :root { --text: #e3e8ed; --muted: #94a1ae; --back: #14191f;
  --surface: #1e252d; --border: #35404b; --accent: #7db4e6; --warn: #e8a256; --p0: #6ea8dc;
  --p1: #e0a13f; --p2: #52b8ab; --p3: #cf8ac8; --p4: #b3b866; --p5: #94a1ae; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1.25rem 4rem; background: var(--back);
  color: var(--text); font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; padding-top: .8rem;
  border-top: 1px solid var(--border); }
p, ul { margin: .5rem 0; max-width: 46rem; }
ul { padding-left: 1.2rem; }
.subtitle, .note, figcaption, caption { color: var(--muted); font-size: .875rem; }
.lead { font-size: 1.2rem; line-height: 1.4; font-weight: 600; }
.warning { border-left: 3px solid var(--warn); padding-left: .7rem; }
nav ol { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem .9rem; padding: 0;
  margin: .8rem 0 0; font-size: .875rem; }
a { color: var(--accent); }
/* Shades at the ends of a table as long as it goes on there. */
.strip { overflow-x: auto; margin: .8rem 0; background:
  linear-gradient(to right, var(--back) 40%, transparent) left / 2.5rem 100% local,
  linear-gradient(to left, var(--back) 40%, transparent) right / 2.5rem 100% local,
  linear-gradient(to right, var(--border), transparent) left / .7rem 100% scroll,
  linear-gradient(to left, var(--border), transparent) right / .7rem 100% scroll;
  background-repeat: no-repeat; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; line-height: 1.35; }
caption { text-align: left; caption-side: bottom; padding-top: .4rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0;
  border-bottom: 1px solid var(--border); overflow-wrap: break-word; }
th { color: var(--muted); font-weight: 600; vertical-align: bottom; }
th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; }
td.n, data { white-space: nowrap; }
table.wide { font-size: .8rem; }
table.wide td.n { white-space: normal; }
table.even { table-layout: fixed; }
table.even th:first-child { width: 3rem; }
table.even td { overflow-wrap: anywhere; }
tr.faded td { color: var(--muted); }
sup { font-size: .7em; line-height: 0; color: var(--muted); }
code, pre { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace;
  font-size: .85em; overflow-wrap: anywhere; }
pre { background: var(--surface); padding: .7rem .9rem; border-radius: 4px;
  white-space: pre-wrap; }
figure { margin: 1rem 0; overflow-x: auto; }
svg { display: block; width: 100%; min-width: 34rem; max-width: 46rem; height: auto;
  font-size: 12px; }
svg text { fill: var(--text); font-family: inherit; }
svg .muted { fill: var(--muted); }
svg .axis { stroke: var(--border); }
svg .zero { stroke: var(--muted); stroke-dasharray: 3 3; }
@media (max-width: 30rem) { body { padding: 1rem .9rem 3rem; } h1 { font-size: 1.4rem; }
  .lead { font-size: 1.1rem; } }
@page { size: A4; margin: 16mm 15mm; }
@media print { :root { --text: #000; --muted: #444; --back: #fff; --surface: #f4f4f4;
    --border: #bbb; --accent: #000; --warn: #000; --p0: #356fa8; --p1: #b9770e; --p2: #1f8a7f;
    --p3: #9c4f96; --p4: #7a7f35; --p5: #5d6b78; }
  html { font-size: 10pt; } body { max-width: none; padding: 0; } nav { display: none; }
  .strip { overflow: visible; background: none; } table { font-size: 8.5pt; }
  td.n { white-space: normal; }
  h2 { break-after: avoid; margin-top: 1.6rem; } tr, figure, pre { break-inside: avoid; }
  thead { display: table-header-group; } a { text-decoration: none; } }
"""
