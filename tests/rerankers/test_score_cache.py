from __future__ import annotations

import hashlib
import sqlite3
import threading
from pathlib import Path

from rerank_lab.core.context import StoredScore
from rerank_lab.rerankers.score_cache import ScoreCache


def key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_scores_survive_a_restart_bit_for_bit(tmp_path: Path) -> None:
    scores = {key(str(i)): StoredScore(i / 7, i % 2 == 0) for i in range(1200)}
    ScoreCache(tmp_path / "s.sqlite").put_many(scores)
    assert ScoreCache(tmp_path / "s.sqlite").get_many([*scores, key("absent")]) == scores


def test_relevant_spans_survive_a_restart_in_a_cache_of_an_earlier_version(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with sqlite3.connect(path) as earlier:
        earlier.execute(
            "create table scores (key blob primary key, score real not null, "
            "truncated int not null) without rowid"
        )
        earlier.execute("insert into scores values (?, 0.5, 1)", (bytes.fromhex(key("old")),))
    scores = {key("a"): StoredScore(1.0, False, ((0, 4), (9, 12))), key("b"): StoredScore(2.0)}
    ScoreCache(path).put_many(scores)
    cache = ScoreCache(path)
    assert cache.get_many([*scores, key("old")]) == scores | {key("old"): StoredScore(0.5, True)}
    cache.clear()
    cache.put_many({key("a"): StoredScore(1.0)})
    assert cache.get_many([key("a")]) == {key("a"): StoredScore(1.0)}


def test_orders_are_kept_for_exactly_their_key(tmp_path: Path) -> None:
    cache = ScoreCache(tmp_path / "s.sqlite")
    cache.put_order(key("a"), [2, 0, 1])
    assert cache.get_order(key("a")) == [2, 0, 1]
    assert cache.get_order(key("b")) is None


def test_clear_forgets_everything(tmp_path: Path) -> None:
    cache = ScoreCache(tmp_path / "s.sqlite")
    cache.put_many({key("a"): StoredScore(1.0)})
    cache.put_order(key("a"), [0])
    assert cache.count() == 1
    cache.clear()
    assert cache.count() == 0
    assert cache.get_order(key("a")) is None


def test_a_broken_cache_is_a_miss_not_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    path.write_bytes(b"this is no database" * 100)
    cache = ScoreCache(path)
    cache.put_many({key("a"): StoredScore(1.0)})
    assert cache.get_many([key("a")]) == {}
    assert cache.count() == 0


def test_a_damaged_cache_is_set_aside_and_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "scores.sqlite"
    file.write_bytes(b"not a database" * 1000)
    cache = ScoreCache(file)
    cache.put_many({key("a"): StoredScore(1.0)})
    cache.put_many({key("a"): StoredScore(1.0)})
    assert cache.get_many([key("a")]) == {key("a"): StoredScore(1.0)}
    assert (tmp_path / "scores.sqlite.damaged").exists()


def test_a_folder_that_cannot_be_written_is_a_miss(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = ScoreCache(tmp_path / "file" / "s.sqlite")
    cache.put_many({key("a"): StoredScore(1.0)})
    assert cache.get_many([key("a")]) == {}


def test_many_threads_write_and_read_at_once(tmp_path: Path) -> None:
    cache = ScoreCache(tmp_path / "s.sqlite")
    wrong: list[str] = []

    def work(thread: int) -> None:
        mine = {key(f"{thread}-{i}"): StoredScore(float(i)) for i in range(50)}
        cache.put_many(mine)
        if cache.get_many(list(mine)) != mine:
            wrong.append(str(thread))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache.count() == 400
