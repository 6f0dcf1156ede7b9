"""What a user of BM25 notices: what is found, in which order, and what is kept on disk."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.context import Context, Progress
from rerank_lab.core.errors import BackendError
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.analysis import STOP_WORDS_ONLY
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.retrievers.bm25 import BM25

CTX = Context()


def corpus_of(*texts: str) -> Corpus:
    return Corpus("small", tuple(Document(f"d{i}", text) for i, text in enumerate(texts)))


def ids(retriever: BM25, text: str, k: int | None = None) -> list[str]:
    return list(retriever.search(Query.of(text), k, CTX).ranking.doc_ids)


def built(corpus: Corpus, indexes: Path | None = None, **options: str | float) -> BM25:
    retriever = BM25(**options)
    retriever.build(corpus, CTX, indexes)
    return retriever


SMALL = corpus_of(
    "a fox and a dog",
    "reset the password of E-2104",
    "dog dog dog",
    "nothing to see",
)


def test_finds_documents_that_share_words_and_no_others() -> None:
    retriever = built(SMALL)
    assert ids(retriever, "dogs") == ["d2", "d0"]
    assert ids(retriever, "e-2104") == ["d1"]
    assert ids(retriever, "giraffe") == []


def test_titles_count() -> None:
    corpus = Corpus("titled", (Document("a", "text", title="Giraffes"), Document("b", "text")))
    assert ids(built(corpus), "giraffe") == ["a"]


def test_ties_go_to_the_smaller_id_whatever_the_order_of_documents() -> None:
    tied = tuple(Document(name, "same words here") for name in ("z", "10", "9", "a"))
    retriever = built(Corpus("tied", tied))
    assert ids(retriever, "same") == ["10", "9", "a", "z"]
    assert ids(retriever, "same", k=2) == ["10", "9"]


def test_a_longer_list_begins_with_the_shorter_one() -> None:
    rng = random.Random(5)
    counts = [(rng.randrange(1, 40), rng.randrange(40)) for _ in range(900)]
    corpus = corpus_of(*("fox " * fox + "cat " * cat for fox, cat in counts))
    retriever = built(corpus)
    whole = ids(retriever, "fox", k=900)
    assert len(whole) == 900
    assert all(ids(retriever, "fox", k=k) == whole[:k] for k in (1, 7, 13, 59, 899))


def test_a_repeated_query_word_counts_twice() -> None:
    corpus = corpus_of("apple", "pear", "pear")
    retriever = built(corpus)
    once = retriever.search(Query.of("apple"), None, CTX).ranking.hits[0].score
    twice = retriever.search(Query.of("apple apple"), None, CTX).ranking.hits[0].score
    assert once is not None
    assert twice == pytest.approx(2 * once)


def test_an_index_is_opened_again_and_gives_the_same_answers(tmp_path: Path) -> None:
    first = built(SMALL, tmp_path)
    seen: list[Progress] = []
    again = BM25()
    again.build(SMALL, Context(progress=seen.append), tmp_path)
    assert not seen, "an index on disk was built anew"
    query = Query.of("dog password")
    assert first.search(query, None, CTX).ranking == again.search(query, None, CTX).ranking
    in_memory = built(SMALL).search(query, None, CTX).ranking
    assert in_memory == again.search(query, None, CTX).ranking


def test_other_options_have_an_index_of_their_own(tmp_path: Path) -> None:
    built(SMALL, tmp_path)
    built(SMALL, tmp_path, k1=0.9, b=0.4)
    built(SMALL, tmp_path, k=7)
    assert len(list(tmp_path.glob("*/bm25-*"))) == 2


@pytest.mark.parametrize(
    "name",
    ["weights.npy", "documents.npy", "start.npy", "order.npy", "terms-rows.npy", "manifest.json"],
)
@pytest.mark.parametrize("kept", [0, 1, 40, -1])
def test_a_damaged_index_is_built_anew(tmp_path: Path, name: str, kept: int) -> None:
    query = Query.of("dog password")
    ranking = built(SMALL, tmp_path).search(query, None, CTX).ranking
    [file] = tmp_path.glob(f"*/bm25-*/{name}")
    whole = file.read_bytes()
    file.write_bytes(whole[:kept])
    again = built(SMALL, tmp_path)
    assert again.search(query, None, CTX).ranking == ranking
    assert "damaged and is built anew" in again.build_trace.warnings[0]
    assert file.read_bytes() == whole
    assert not list(tmp_path.glob("*/.*"))


def test_a_pickled_index_is_built_anew_unread(tmp_path: Path) -> None:
    import numpy as np

    built(SMALL, tmp_path)
    [weights] = tmp_path.glob("*/bm25-*/weights.npy")
    np.save(weights, np.array([{}], dtype=object), allow_pickle=True)
    assert "damaged" in built(SMALL, tmp_path).build_trace.warnings[0]


def test_an_index_that_cannot_be_written_lives_in_memory(tmp_path: Path) -> None:
    (tmp_path / "indexes").write_text("a file in the way")
    retriever = built(SMALL, tmp_path / "indexes")
    assert retriever.search(Query.of("dog password"), None, CTX).ranking.hits
    assert "is not kept" in retriever.build_trace.warnings[0]


def test_an_index_of_another_analysis_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BM25, "index_format", 1)
    built(SMALL, tmp_path)
    monkeypatch.undo()
    built(SMALL, tmp_path)
    assert len(list(tmp_path.glob("*/bm25-*"))) == 2


def test_a_query_of_stop_words_says_why_nothing_was_found() -> None:
    retriever = built(SMALL)
    result = retriever.search(Query.of("to be or not to be"), None, CTX)
    assert not result.ranking.hits
    assert result.trace.warnings == (STOP_WORDS_ONLY,)
    assert not retriever.search(Query.of("zebra"), None, CTX).trace.warnings
    assert not retriever.search(Query.of(" ?"), None, CTX).trace.warnings


def test_an_index_of_another_corpus_is_refused(tmp_path: Path) -> None:
    built(SMALL, tmp_path)
    [folder] = tmp_path.glob("*/bm25-*")
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8").replace(SMALL.content_hash, "0" * 64), "utf-8")
    with pytest.raises(BackendError, match="another corpus"):
        built(SMALL, tmp_path)


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from rerank_lab.core.context import Context
from rerank_lab.corpora.analysis import STOP_WORDS_ONLY
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.retrievers.bm25 import BM25
from rerank_lab.core.types import Document

saved = np.save
def save_two_then_die(*args, **kwargs):
    saved(*args, **kwargs)
    if args[0].name == "documents.npy":
        os.kill(os.getpid(), signal.SIGKILL)
np.save = save_two_then_die
texts = ["a fox and a dog", "reset the password of E-2104", "dog dog dog", "nothing to see"]
corpus = Corpus("small", tuple(Document(f"d{i}", text) for i, text in enumerate(texts)))
BM25().build(corpus, Context(), Path(sys.argv[1]))
"""


def test_a_build_that_was_killed_is_done_again_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert list(tmp_path.glob("*/.*.part")), "the build was killed too early to mean anything"
    assert ids(built(SMALL, tmp_path), "dogs") == ["d2", "d0"]
    [folder] = tmp_path.iterdir()
    assert [child.name.partition("-")[0] for child in folder.iterdir()] == ["bm25"]


ALONGSIDE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_bm25 import SMALL, built, ids
print(ids(built(SMALL, Path(sys.argv[1])), "dogs"))
"""


def test_processes_that_build_the_same_index_at_once_all_end_well(tmp_path: Path) -> None:
    indexes = tmp_path / "indexes"
    arguments = [sys.executable, "-c", ALONGSIDE, str(indexes), str(Path(__file__).parent)]
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = [process.communicate()[0].strip() for process in running]
    assert answers == ["['d2', 'd0']"] * 3
    [folder] = indexes.iterdir()
    assert len(list(folder.iterdir())) == 1, "an unfinished index was left behind"


def test_progress_is_reported_in_documents() -> None:
    seen: list[Progress] = []
    BM25().build(corpus_of(*["word"] * 4500), Context(progress=seen.append))
    assert [(p.done, p.total) for p in seen] == [
        (0, 4500),
        (2000, 4500),
        (4000, 4500),
        (4500, 4500),
    ]


@given(
    st.lists(st.lists(st.sampled_from("abcdefg"), max_size=6), min_size=1, max_size=12),
    st.lists(st.sampled_from("abcdefgh"), max_size=4),
)
def test_only_documents_with_a_word_of_the_query_are_found(
    texts: list[list[str]], asked: list[str]
) -> None:
    corpus = corpus_of(*(" ".join(words) for words in texts))
    retriever = built(corpus, language="none")
    found = ids(retriever, " ".join(asked), k=100)
    assert set(found) == {f"d{i}" for i, words in enumerate(texts) if set(words) & set(asked)}
