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
    """The mapping in the form; None while it makes no document.

    What was chosen for a table with these columns is chosen again when it comes another time.
    """
    mark = short_key(str([column.name for column in preview.columns]))
    chosen: dict[str, ColumnMapping] = st.session_state.setdefault("import_mappings", {})
    st.markdown("**Columns**")
    with st.container(horizontal=True, key="mapping"):
        mapping = _form(preview, mark, chosen.get(mark) or preview.mapping)
    if mapping != preview.mapping:
        chosen[mark] = mapping
    else:
        chosen.pop(mark, None)
    mapped = views.mapped_rows(preview, mapping)
    st.markdown("**First documents**")
    if mapped.error:
        st.warning(parts.literal(mapped.error), icon=":material/warning:")
        return None
    if not mapped.rows:
        st.warning("These columns give no document.", icon=":material/warning:")
    else:
        metas = [row.meta for row in mapped.rows]
        st.dataframe(
            {
                "Id": [row.id for row in mapped.rows],
                "Title": [row.title for row in mapped.rows],
                "Text": [row.text for row in mapped.rows],
                **({"Kept with it": metas} if any(metas) else {}),
            },
            hide_index=True,
            column_config={
                "Title": st.column_config.TextColumn("Title", width="medium"),
                "Text": st.column_config.TextColumn("Text", width="large"),
            },
            alt="The first documents as they would be imported",
        )
    counts = views.count_problems(mapped.problems)
    draw_problems(mapped.problems, counts, "mapping", "in the first rows")
    return mapping if mapped.rows else None


def _form(preview: Preview, mark: str, first: ColumnMapping | None) -> ColumnMapping:
    """The choices, beginning with those of `first`."""
    names = [column.name for column in preview.columns]
    guess = first or ColumnMapping(names[0])
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
    chosen = rest and st.multiselect(
        "Keep beside the text",
        rest,
        default=rest if guess.meta is None else [name for name in rest if name in guess.meta],
        key=f"map_kept_{mark}_{short_key(str(rest))}",
        wrap=True,
        width=380,
    )
    everything = None if chosen == rest else chosen
    return views.mapping_of(id_column, text, title, everything)
