"""Which column means what: the form, with the resulting documents beside it as it is changed."""

from __future__ import annotations

import streamlit as st

from rerank_lab.corpora import ColumnMapping, Preview
from rerank_lab.ui.corpora.import_report import draw_problems
from rerank_lab.ui.shared import parts
from rerank_lab.ui.shared.waiting import short_key
from rerank_lab.views import importing as views
from rerank_lab.views.importing import NO_COLUMN


def choose_mapping(preview: Preview) -> ColumnMapping | None:
    """The mapping in the form; None while it makes no document."""
    mark = short_key(f"{preview.source.name} {[c.name for c in preview.columns]}")
    st.markdown("**Columns**")
    with st.container(horizontal=True, key="mapping"):
        mapping = _form(preview, mark)
    made = views.mapped_rows(preview, mapping)
    st.markdown("**First documents**")
    if made.error:
        st.warning(parts.literal(made.error), icon=":material/warning:")
        return None
    if not made.rows:
        st.warning("These columns give no document.", icon=":material/warning:")
    else:
        kept = [row.meta for row in made.rows]
        st.dataframe(
            {
                "Id": [row.id for row in made.rows],
                "Title": [row.title for row in made.rows],
                "Text": [row.text for row in made.rows],
                **({"Kept with it": kept} if any(kept) else {}),
            },
            hide_index=True,
            column_config={
                "Title": st.column_config.TextColumn("Title", width="medium"),
                "Text": st.column_config.TextColumn("Text", width="large"),
            },
            alt="The first documents as they would be imported",
        )
    counts = views.count_problems(made.problems)
    draw_problems(made.problems, counts, "mapping", "in the first rows")
    return mapping if made.rows else None


def _form(preview: Preview, mark: str) -> ColumnMapping:
    names = [column.name for column in preview.columns]
    guess = preview.mapping or ColumnMapping(names[0])
    optional = [NO_COLUMN, *names]

    def place(name: str | None) -> int:
        return optional.index(name) if name in optional else 0

    text = st.selectbox(
        "Text", names, index=names.index(guess.text), key=f"map_text_{mark}", width=200
    )
    title = st.selectbox(
        "Title", optional, index=place(guess.title), key=f"map_title_{mark}", width=200
    )
    id_column = st.selectbox(
        "Id",
        optional,
        index=place(guess.id),
        key=f"map_id_{mark}",
        width=200,
        help="Without one, the rows are numbered d1, d2, …",
    )
    rest = [name for name in names if name not in (text, title, id_column)]
    kept = rest and st.multiselect(
        "Keep beside the text",
        rest,
        default=rest,
        key=f"map_kept_{mark}_{short_key(str(rest))}",
        wrap=True,
        width=380,
    )
    everything = None if kept == rest else kept
    return views.mapping_of(id_column, text, title, everything)
