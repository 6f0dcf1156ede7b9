"""Whatever bytes come in, what goes out is a corpus or an error made for people."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora import ImportOptions, import_corpus, inspect_upload
from rerank_lab.corpora.readers.registry import upload_extensions

from . import make


def _parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"id": ["1", "2"], "text": ["one", "two"]}), out)
    return out.getvalue()


GOOD = {
    "a.jsonl": make.jsonl({"id": "1", "text": "one", "m": {"k": [1]}}, {"id": "2", "text": "two"}),
    "a.json": b'[{"id": "1", "text": "one"}, {"id": "2", "text": "two"}]',
    "a.csv": b'id,text\n1,"one, two"\n2,three\n',
    "a.html": b"<html><head><title>T</title></head><body><p>One</p></body></html>",
    "a.md": b"---\ntitle: x\n---\n# One\n\ntext\n",
    "a.pdf": make.pdf("One", "Two"),
    "a.docx": make.docx("One", table=("x", "y")),
    "a.parquet": _parquet(),
    "a.zip": make.zipped(make.BEIR),
}


def take(name: str, data: bytes) -> None:
    """Look at it and import it; InvalidInput is the only way to refuse, and it says what to do."""
    refusals: list[InvalidInput] = []
    try:
        preview = inspect_upload(name, data)
        import_corpus(preview, "mine", options=ImportOptions(replace=True))
    except InvalidInput as error:
        refusals.append(error)
    assert all(error.message and error.hint for error in refusals)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_the_undamaged_file_is_taken(name: str) -> None:
    assert import_corpus(inspect_upload(name, GOOD[name]), "mine").documents >= 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.sampled_from(upload_extensions()), st.binary(max_size=200))
def test_any_bytes_under_any_extension(extension: str, data: bytes) -> None:
    take("upload" + extension, data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.sampled_from(sorted(GOOD)),
    st.floats(0, 1, exclude_max=True),
    st.binary(max_size=8),
    st.integers(0, 30),
)
def test_a_good_file_with_a_damaged_place(name: str, at: float, new: bytes, gone: int) -> None:
    data = GOOD[name]
    place = int(at * len(data))
    take(name, data[:place] + new + data[place + gone :])
