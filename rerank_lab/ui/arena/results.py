"""The ratings of the arena: verdict, intervals, pairs, judges and tags; people and models apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from rerank_lab.charts.arena import ratings_chart
from rerank_lab.corpora import Corpus
from rerank_lab.judging.arena.showing import ArenaMode
from rerank_lab.judging.arena.tallies import pipelines_of
from rerank_lab.judging.records import JudgeKind
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.services import arena
from rerank_lab.services.arena import ArenaStandings
from rerank_lab.ui.shared import parts
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.views import arena as views

VOTES = "votes"
"""The parameter of a link for the mode whose votes are rated."""
_ALL = "All modes"


def draw(corpus: Corpus, store: JudgmentStore, colours: Mapping[str, int]) -> None:
    """Everything that the votes of this corpus say."""
    votes = store.votes(corpus.name)
    mode = _mode_choice()
    by_kind = arena.standings(
        votes, arena.query_tags(corpus), mode, _chosen(pipelines_of(votes), colours)
    )
    if not by_kind:
        _empty(corpus)
        return
    kinds = list(by_kind)
    kind = kinds[0]
    if len(kinds) > 1:
        kind = st.segmented_control(
            "Votes of",
            kinds,
            default=kinds[0],
            format_func=views.KIND_NAMES.__getitem__,
            key="arena_kind",
            required=True,
        ) or kinds[0]  # fmt: skip
    labels = views.arena_labels(pipelines_of(votes))
    _standings(by_kind[kind], labels, colours)


def _mode_choice() -> ArenaMode | None:
    linked = str(st.query_params.get(VOTES, _ALL))
    choices = (_ALL, *ArenaMode)
    choice = st.selectbox(
        "Votes on",
        choices,
        index=choices.index(linked) if linked in choices else 0,
        format_func=lambda mode: views.MODE_NAMES.get(mode, mode),
        key="arena_ratings_mode",
        width=220,
    )
    if choice == _ALL:
        st.query_params.pop(VOTES, None)
        return None
    st.query_params[VOTES] = str(choice)
    return ArenaMode(choice)


def _chosen(voted_on: Sequence[str], colours: Mapping[str, int]) -> tuple[str, ...]:
    """The pipelines to rate: all that were voted on (an empty tuple), or those of this link."""
    current = tuple(spec for spec in voted_on if spec in colours)
    if len(current) < arena.MIN_PIPELINES or len(current) == len(voted_on):
        return ()
    only = st.toggle(
        "Only the pipelines chosen under Vote",
        key="arena_only",
        help="A winner has to beat every pipeline that is rated, older ones too.",
    )
    return current if only else ()


def _empty(corpus: Corpus) -> None:
    with st.container(border=True, key="arena_no_votes"):
        st.markdown(f"**No votes on {parts.literal(corpus.name)} yet**")
        st.markdown(
            "Ratings follow from votes alone. A clear winner among two pipelines takes about ten "
            "queries, one that wins two times out of three about eighty."
        )


def _standings(
    standings: ArenaStandings, labels: Mapping[str, str], colours: Mapping[str, int]
) -> None:
    ratings = standings.ratings
    sentence = views.verdict_sentence(standings, labels)
    if standings.kind is not JudgeKind.HUMAN:
        sentence = f"{views.KIND_NAMES[standings.kind]}: {sentence}"
    st.markdown(f"#### {parts.literal(sentence)}")
    for note in views.arena_notes(standings):
        st.caption(f":material/info: {parts.literal(note)}")
    figure = ratings_chart(views.rating_marks(ratings, labels), colours, parts.theme())
    st.plotly_chart(
        PlainFigure(figure), key="arena_chart", config={"displayModeBar": False}, width="stretch"
    )
    _table(views.RATING_HEADS, views.rating_rows(ratings, labels), "ratings")
    st.caption(parts.literal(views.method_words(standings.verdict)))
    with st.expander("Pair by pair"):
        _table(views.PAIR_HEADS, views.pair_rows(standings, labels), "pairs")
    with st.expander("By judge"):
        _table(
            ("Judge", *views.SLICE_HEADS[1:]), views.slice_rows(standings.judges, labels), "judges"
        )
    if standings.tags:
        with st.expander("By query tag"):
            _table(
                ("Tag", *views.SLICE_HEADS[1:]), views.slice_rows(standings.tags, labels), "tags"
            )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], key: str) -> None:
    st.dataframe(
        [dict(zip(heads, row, strict=True)) for row in rows],
        hide_index=True,
        key=f"arena_{key}",
        width="stretch",
    )
