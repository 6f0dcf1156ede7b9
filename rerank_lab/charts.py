"""Figures: pure Plotly, on one template made from the theme's colours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tokens:
    """The colours of one theme. `.streamlit/config.toml` holds the same values for widgets.

    `grades` run pale to deep for grades 0 to 3; `pipelines` are told apart by colour-blind eyes and
    go to pipelines by their slot; `up` and `down` are the two ends of movement.
    """

    name: str
    accent: str
    background: str
    surface: str
    text: str
    muted: str
    border: str
    up: str
    down: str
    still: str
    grades: tuple[str, str, str, str]
    grade_text: tuple[str, str, str, str]
    pipelines: tuple[str, ...]
    mark: str


LIGHT = Tokens(
    name="light",
    accent="#1d5c96",
    background="#ffffff",
    surface="#f3f5f7",
    text="#1c2630",
    muted="#5d6b78",
    border="#d5dbe1",
    up="#1d5c96",
    down="#a85400",
    still="#8a959f",
    grades=("#ece4f8", "#cbb6ea", "#8560c3", "#432579"),
    grade_text=("#432579", "#2b1559", "#ffffff", "#ffffff"),
    pipelines=("#356fa8", "#b9770e", "#1f8a7f", "#9c4f96", "#7a7f35", "#5d6b78"),
    mark="#fdeeb5",
)
DARK = Tokens(
    name="dark",
    accent="#3f83c4",
    background="#14191f",
    surface="#1e252d",
    text="#e3e8ed",
    muted="#94a1ae",
    border="#35404b",
    up="#7db4e6",
    down="#e8a256",
    still="#7b8894",
    grades=("#2f2249", "#5f4793", "#a58edb", "#ddd0fa"),
    grade_text=("#cbb6ea", "#f1eafd", "#1b1030", "#1b1030"),
    pipelines=("#6ea8dc", "#e0a13f", "#52b8ab", "#cf8ac8", "#b3b866", "#94a1ae"),
    mark="#5a4a12",
)
