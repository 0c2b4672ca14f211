"""How a report looks: on wide and narrow screens, light and dark, and on paper."""

STYLE = """
:root {
  --ground: #ffffff; --card: #f5f7fa; --ink: #1f2933; --soft: #52606d; --line: #d9e2ec; --accent: #2b6cb0;
  --good: #1b7f5c; --bad: #b3402a; --shade: #e8a33d;
  color-scheme: light dark;
}
@media (prefers-color-scheme: dark) {
  :root { --ground: #14191f; --card: #1d242c; --ink: #e4e7eb; --soft: #9aa5b1; --line: #323f4b; --accent: #7cb8f5;
    --good: #5fd3a8; --bad: #ff9c85; --shade: #a8651a; }
  figure { filter: brightness(0.92); }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body {
  margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 90rem;
  background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere;
}
h1 { font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -0.01em; }
h2 { font-size: 1.35rem; margin: 3rem 0 .75rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 2rem 0 .25rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; color: var(--soft); }
a { color: var(--accent); }
nav { display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; margin: 1rem 0 0; }
nav a { text-decoration: none; font-weight: 500; }
nav a:hover, nav a:focus { text-decoration: underline; }
.tiles {
  display: grid; gap: 1rem; margin: 1.5rem 0 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr));
}
.tiles div { padding: .8rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
.tiles b {
  display: block; font-size: 1.45rem; line-height: 1.3; margin-top: .2rem; font-variant-numeric: tabular-nums;
}
.tiles span { font-size: .85rem; color: var(--soft); }
.table {
  display: inline-block; vertical-align: top; max-width: calc(100% - 3rem); overflow-x: auto; margin: 1rem 3rem 1rem 0;
}
@media (max-width: 48rem) { .table { max-width: 100%; margin-right: 0; } }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { text-align: left; font-weight: 600; padding: 0 0 .4rem; }
th, td { padding: .35rem .9rem .35rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 500; }
thead th {
  color: var(--soft); vertical-align: bottom; white-space: normal; overflow-wrap: anywhere; min-width: 5.8rem;
}
tbody th { position: sticky; left: 0; background: var(--ground); }
tbody tr:hover > * { background: var(--card); }
td.none, td.unclear, td small { color: var(--soft); }
td small { display: block; font-size: .78rem; line-height: 1.2; }
td.better { color: var(--good); font-weight: 600; }
td.worse { color: var(--bad); font-weight: 600; }
.matrix thead th { text-align: center; }
.matrix td { text-align: center; padding: .4rem .7rem; }
.matrix td.shaded small { color: inherit; }
td.shaded { background: color-mix(in srgb, var(--shade) var(--part), var(--ground)); }
.blocks, .pictures {
  display: grid; gap: 1rem 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr));
}
.beside { grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); }
.blocks > section { display: flex; flex-direction: column; justify-content: flex-end; min-width: 0; }
.blocks > .several { grid-column: 1 / -1; }
figure { margin: 0; padding: .5rem; background: #ffffff; border: 1px solid var(--line); border-radius: .6rem; }
figure img, figure video { display: block; width: 100%; max-width: 44rem; height: auto; margin: 0 auto; }
figcaption { padding: .35rem .2rem 0; font-size: .85rem; color: #52606d; }
dt { font-weight: 600; margin-top: .75rem; }
dd { margin: 0; color: var(--soft); }
footer {
  margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .85rem; color: var(--soft);
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  figure, tr, .tiles div { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .table { overflow: visible; }
  th, td { white-space: normal; }
}
"""
