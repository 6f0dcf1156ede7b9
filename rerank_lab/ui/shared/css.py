"""The app's style sheet: only for `.st-key-*` containers and our own `rl-` classes.

Each colour is given for both themes; `light-dark()` follows the theme that the visitor chose.
"""

from __future__ import annotations

from functools import cache

from rerank_lab.charts.figures import DARK, LIGHT
from rerank_lab.services.presets import MAX_PIPELINES

BUMP_SIDES, BUMP_UPRIGHT = 264, 96
"""Pixels of the bump chart beside its uprights, and those that each needs for its name."""

_RULES = """
/* Whoever judges sees the document and nothing else. */
body:has(.st-key-judging) [data-testid="stSidebar"],
body:has(.st-key-judging) [data-testid="stExpandSidebarButton"] { display: none; }
.st-key-guidelines { max-width: 46rem; margin: 0 auto; }
/* The page begins below the names of the pages. */
[data-testid="stMainBlockContainer"] { padding-inline: 1.6rem; }
.st-key-url_state, .st-key-query_bar_away, .st-key-side_away { display: none; }
.rl-verdict { font-size: 1.2rem; line-height: 1.5; font-weight: 600; text-wrap: pretty; }
/* Captions are read too: Streamlit's own grey has less than 4.5 to 1 against the page. */
[data-testid="stCaptionContainer"] { color: var(--rl-muted); opacity: 1; }
/* Chosen parts of a control and code keep 4.5 to 1 in both themes; Streamlit's own do not. */
button[data-variant="segmented_control"][aria-checked="true"] *,
button[data-variant="pills"][aria-checked="true"] *,
[data-testid="stTab"][aria-selected="true"] p { color: var(--rl-up); }
[data-testid="stCode"] .token:is(.parameter, .function, .keyword, .builtin) {
  color: var(--rl-up) !important; }
[data-testid="stCode"] .token.string { color: light-dark(#2f6f73, #6fbcb7) !important; }
[data-testid="stCode"] .token:is(.number, .operator, .boolean) {
  color: var(--rl-down) !important; }
.rl-asked { font-size: 1.5rem; line-height: 1.35; font-weight: 600; text-wrap: pretty;
  overflow-wrap: anywhere; }
.rl-side { border-top: 1px solid var(--rl-border); padding: .6rem 0; }
.rl-side .rl-title { font-weight: 600; overflow-wrap: anywhere; }
.rl-legend { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; }
.rl-head { display: flex; flex-wrap: wrap; align-items: baseline; column-gap: .45rem;
  font-size: .85rem; font-variant-numeric: tabular-nums; }
.rl-rank { font-weight: 600; font-size: 1.05rem; min-width: 1.5rem; }
.rl-score { margin-left: auto; color: var(--rl-muted); white-space: nowrap; }
.rl-scale, .rl-note { color: var(--rl-muted); font-size: .85rem; }
.rl-move { font-weight: 600; white-space: nowrap; }
.rl-up { color: var(--rl-up); } .rl-down { color: var(--rl-down); }
.rl-same, .rl-new { color: var(--rl-muted); }
.rl-grade { font-size: .8rem; padding: 0 .45rem; border-radius: .3rem; white-space: nowrap;
  line-height: 1.45; }
.rl-g0 { background: var(--rl-g0); color: var(--rl-i0);
  box-shadow: inset 0 0 0 1px light-dark(transparent, var(--rl-muted)); }
.rl-g1 { background: var(--rl-g1); color: var(--rl-i1); }
.rl-g2 { background: var(--rl-g2); color: var(--rl-i2); }
.rl-g3 { background: var(--rl-g3); color: var(--rl-i3); }
.rl-pin { color: var(--rl-accent); }
.rl-snippet { font-size: .93rem; line-height: 1.55; overflow-wrap: anywhere; }
.rl-full { font-size: 1rem; line-height: 1.65; overflow-wrap: anywhere; white-space: pre-wrap; }
.rl-snippet mark, .rl-full mark { background: var(--rl-mark); color: inherit;
  border-radius: .2rem; padding: 0 .1rem; }
.rl-unread { color: var(--rl-muted); opacity: .75; }
.rl-unread mark { background: none; text-decoration: underline dotted; }
.rl-decided { background: var(--rl-surface); border-bottom: 2px solid var(--rl-accent);
  box-decoration-break: clone; -webkit-box-decoration-break: clone; }
.rl-relevant { text-decoration: underline dashed 2px var(--rl-accent);
  text-underline-offset: .25em; }
.rl-colhead { display: flex; gap: .5rem; align-items: flex-end; min-height: 2.3rem; }
:is(.st-key-columns_4, .st-key-columns_5, .st-key-columns_6) .rl-colhead { min-height: 2.9rem; }
.rl-colhead .rl-dot { margin-bottom: .35rem; }
.rl-dot { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; flex: none; }
.rl-name { font-weight: 600; font-size: 1.05rem; line-height: 1.35; overflow-wrap: anywhere; }
.rl-facts { color: var(--rl-muted); font-size: .9rem; min-height: 1.6rem;
  font-variant-numeric: tabular-nums; }
.rl-tag, .rl-badge { border: 1px solid var(--rl-border); border-radius: .3rem; padding: 0 .35rem;
  font-size: .8rem; white-space: nowrap; }
.rl-badge.rl-broken { background: var(--rl-down); color: var(--rl-background);
  border-color: var(--rl-down); font-weight: 600; }
.rl-badge.rl-suspect { border-color: var(--rl-down); color: var(--rl-down); font-weight: 600; }
/* Every head keeps room for these two lines, so that the first answers stand side by side. */
.rl-calls { min-height: 3em; line-height: 1.5; display: -webkit-box; -webkit-box-orient: vertical;
  -webkit-line-clamp: 2; overflow: hidden; }
.rl-quality { font-variant-numeric: tabular-nums; margin-top: .35rem; min-height: 2.6rem; }
.rl-big { font-size: 1.2rem; font-weight: 600; }
.rl-bar { height: .35rem; background: var(--rl-surface); border-radius: .2rem;
  margin-top: .3rem; overflow: hidden; }
.rl-bar i { display: block; height: 100%; background: var(--rl-border); border-radius: .2rem; }
.rl-bar b { display: block; height: 100%; background: var(--rl-accent); border-radius: .2rem; }
.rl-warning { font-size: .85rem; color: var(--rl-down); margin-top: .3rem; }
.rl-unjudged { border: 1px dashed var(--rl-border); color: var(--rl-muted); }
.rl-failure { font-size: .93rem; color: var(--rl-down); overflow-wrap: anywhere; }
.st-key-strip > * { min-width: 15.4rem; }
/* Shades at the ends of the strip as long as columns go on there; none where all are in sight. */
.st-key-strip { overflow-x: auto; background:
  linear-gradient(to right, var(--rl-background) 40%, transparent) left / 2.5rem 100% local,
  linear-gradient(to left, var(--rl-background) 40%, transparent) right / 2.5rem 100% local,
  linear-gradient(to right, var(--rl-border), transparent) left / .8rem 100% scroll,
  linear-gradient(to left, var(--rl-border), transparent) right / .8rem 100% scroll;
  background-repeat: no-repeat; }
[class*="st-key-columns_"] { container-type: inline-size; }
.rl-more { display: none; text-align: right; color: var(--rl-muted); font-size: .85rem; }
[class*="st-key-card_"] { border-top: 1px solid var(--rl-border); padding-top: .6rem; }
[class*="st-key-cardpin_"] { border-top: 1px solid var(--rl-border); padding-top: .6rem;
  box-shadow: inset 3px 0 0 var(--rl-accent); padding-left: .6rem; }
.rl-cards { display: flex; flex-direction: column; gap: 1rem; }
.rl-cards button { display: inline-flex; align-items: center; border: 0; background: none;
  padding: 0; color: inherit; font: inherit; cursor: pointer; border-radius: .4rem; }
.rl-cards button:is(:hover, :active) { color: var(--rl-up); }
.rl-cards button:focus-visible { outline: none; box-shadow: 0 0 0 .2rem
  color-mix(in srgb, var(--rl-accent) 50%, transparent); }
.rl-card-top { display: flex; align-items: center; gap: .5rem; min-height: 2.5rem; }
.rl-card-top .rl-head { flex: 1 1 0; min-width: 0; }
.rl-cards .rl-menu-button { min-height: 2.5rem; font-size: .875rem; line-height: 1.6;
  gap: .125rem; flex: none; white-space: nowrap; }
.rl-chevron { font-family: "Material Symbols Rounded"; font-size: 1.25rem; line-height: 1;
  width: 1.1rem; overflow: hidden; margin: .125rem 0 0; font-feature-settings: "liga";
  user-select: none; }
.rl-card-title { line-height: 1.6; }
.rl-card-title button { width: 100%; }
.rl-card-title p { margin: 0; }
.rl-menu { position: fixed; inset: auto; margin: 0; border: 0; padding: .375rem; min-width: 8rem;
  border-radius: .6rem; background: var(--rl-background); color: var(--rl-text);
  box-shadow: 0 .25rem 1rem rgb(0 0 0 / .16); font-size: .875rem; line-height: 1.6; }
.rl-menu button { display: flex; width: 100%; padding: .25rem .5rem; border-radius: .4rem; }
.rl-cards .rl-menu button { padding: .25rem .5rem; }
.rl-cards .rl-menu button:is(:hover, :focus) { background: var(--rl-surface); color: inherit;
  box-shadow: none; }
[class*="st-key-title_"] button { justify-content: flex-start; padding: 0; min-height: 0; }
[class*="st-key-title_"] button > div { justify-content: flex-start; }
[class*="st-key-title_"] button p { font-weight: 600; font-size: 1rem; line-height: 1.4;
  white-space: normal; overflow-wrap: anywhere; text-align: left; }
.st-key-prompt_text textarea { font-family: var(--rl-mono, ui-monospace, monospace);
  font-size: .85rem; line-height: 1.5; white-space: pre; overflow-x: auto; }
/* A job is named by its whole pipeline, which may be long. */
.st-key-jobs p { overflow-wrap: anywhere; display: -webkit-box; -webkit-box-orient: vertical;
  -webkit-line-clamp: 3; overflow: hidden; }
@media (max-width: 900px) {
  /* Without their icons all pages are named in full. */
  [data-testid="stTopNavLink"] > span:has([data-testid="stIconMaterial"]) { display: none; }
  [data-testid="stTopNavLink"] { padding-inline: .37rem; }
  [data-testid="stToolbar"] div:has(> [data-testid="stMainMenu"]) { position: absolute;
    right: .4rem; min-width: 0; }
  .st-key-query_bar { flex-wrap: nowrap; }
  .st-key-query_bar > :has(.st-key-sample), .st-key-query_bar > .st-key-sample {
    max-width: 9.3rem; }
  .st-key-present_start button span { gap: 0; margin: 0; }
  .st-key-present_start button p { position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); }
  .st-key-controls { flex-wrap: wrap; justify-content: flex-end; }
  .st-key-controls > :has(.st-key-chips), .st-key-controls > .st-key-chips { flex-basis: 100%; }
}
[class*="st-key-bump_strip_"] { overflow-x: auto; }
.rl-table { width: 100%; border-collapse: collapse; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
.rl-table th { text-align: left; font-weight: 600; color: var(--rl-muted); font-size: .85rem; }
.rl-table th, .rl-table td { padding: .25rem .6rem .25rem 0; vertical-align: top;
  border-bottom: 1px solid var(--rl-border); overflow-wrap: anywhere; }
.rl-table .rl-n, .rl-table th:nth-child(n+3) { text-align: right; white-space: nowrap; }
.rl-strip { overflow-x: auto; }
.rl-results td { vertical-align: middle; padding-right: .9rem; }
.rl-results .rl-pipeline { min-width: 12rem; }
.rl-results .rl-value-best { font-weight: 700; }
.rl-ledger { color: var(--rl-muted); font-size: .82rem; }
.rl-ci { display: inline-block; position: relative; width: 8rem; height: 1.1rem;
  vertical-align: middle; }
.rl-ci::before { content: ""; position: absolute; left: 50%; top: 0; bottom: 0;
  border-left: 1px solid var(--rl-border); }
.rl-ci i { position: absolute; top: .5rem; height: 2px; background: var(--rl-muted); }
.rl-ci b { position: absolute; top: .27rem; width: .55rem; height: .55rem; margin-left: -.27rem;
  border-radius: 50%; background: var(--rl-accent); }
/* Limits, front, and who remains stand side by side, and below each other on narrow screens. */
.st-key-choose_board { display: grid; gap: 1.6rem; align-items: start;
  grid-template-columns: 15rem minmax(22rem, 1fr) minmax(15rem, 21rem); }
.st-key-choose_board > * { min-width: 0; width: 100% !important; }
@media (max-width: 1250px) {
  .st-key-choose_board { grid-template-columns: 14rem minmax(0, 1fr); }
  .st-key-choose_board > :has(> .st-key-choose_standing),
  .st-key-choose_board > .st-key-choose_standing { grid-column: 1 / -1; }
}
@media (max-width: 640px) {
  .st-key-choose_board { grid-template-columns: minmax(0, 1fr); }
}
.rl-away { opacity: .78; }
.rl-known td { font-size: .87rem; white-space: nowrap; }
.rl-table.rl-known th { text-align: left; }
/* On narrow screens each pipeline is a card, with the headings beside its figures. */
@media (max-width: 1050px) {
  .rl-results thead { display: none; }
  .rl-results tbody { display: block; }
  .rl-results tr { display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr));
    gap: .35rem 1rem; padding: .7rem 0; border-bottom: 1px solid var(--rl-border); }
  .rl-results tr:first-child { border-top: 1px solid var(--rl-border); }
  .rl-results td { border: 0; padding: 0; white-space: normal; }
  .rl-results .rl-pipeline { grid-column: 1 / -1; order: -2; }
  .rl-table.rl-results .rl-n { text-align: left; white-space: normal; }
  .rl-results td[data-heading]::before { content: attr(data-heading); display: block;
    color: var(--rl-muted); font-size: .82rem; font-weight: 400; }
  .rl-results td:has(.rl-ci) { grid-column: 1 / -1; order: -1; }
}
[class*="st-key-chip_"] { border: 1px solid var(--rl-border); border-radius: .4rem;
  padding: 0 .15rem 0 .6rem; background: var(--rl-surface); flex-wrap: nowrap; }
/* Buttons that show an icon only keep their words for those who listen. */
[class*="st-key-remove_"] button p, [class*="st-key-cancel_"] button p { position: absolute;
  width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
[class*="st-key-chip_"] { max-width: 100%; }
[class*="st-key-edit_"] { min-width: 0; flex-shrink: 1; }
[class*="st-key-chip_"] button { padding: 0 .3rem; min-height: 2rem; }
"""


def _narrow_columns(count: int) -> str:
    """Rules for so many columns where each has less than 15.4rem: closer, and then they scroll."""
    strip = f".st-key-columns_{count} .st-key-strip"
    return (
        f"@container (max-width: {16.4 * count - 1:.1f}rem) {{ {strip} {{ gap: .8rem; }} "
        f"{strip} > * {{ min-width: 11.2rem; }} {strip} .rl-colhead {{ min-height: 4.2rem; }} "
        f"{strip} .rl-name {{ font-size: 1rem; }} }}"
        f"@container (max-width: {12 * count - 0.9:.1f}rem) {{ .st-key-columns_{count} .rl-more "
        "{ display: block; } }"
    )


@cache
def stylesheet(*, dark: bool) -> str:
    """The sheet; `dark` is the theme that the visitor sees."""
    names = ("accent", "background", "surface", "text", "muted", "border", "up", "down", "mark")
    pairs = {name: (getattr(LIGHT, name), getattr(DARK, name)) for name in names}
    for i in range(4):
        pairs[f"g{i}"] = (LIGHT.grades[i], DARK.grades[i])
        pairs[f"i{i}"] = (LIGHT.grade_text[i], DARK.grade_text[i])
    for i, pair in enumerate(zip(LIGHT.pipelines, DARK.pipelines, strict=True)):
        pairs[f"p{i}"] = pair
    values = "".join(f"--rl-{k}: light-dark({a}, {b});" for k, (a, b) in pairs.items())
    # Each upright of the bump chart needs room for its name; narrow screens scroll it sideways.
    least = "".join(
        f".st-key-bump_strip_{n} > * {{ min-width: {BUMP_SIDES + BUMP_UPRIGHT * n}px; }}"
        for n in range(1, MAX_PIPELINES + 1)
    )
    narrow = "".join(_narrow_columns(n) for n in range(2, MAX_PIPELINES + 1))
    # Dialogs stand outside of the app's own element, which knows which theme was chosen.
    scheme = f'[data-testid="stDialog"] {{ color-scheme: {"dark" if dark else "light"}; }}'
    return f"<style>:root {{{values}}}{_RULES}{least}{narrow}{scheme}</style>"
