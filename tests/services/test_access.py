"""Who may do what, at the door of each service, and what is recorded of it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from rerank_lab.core.errors import InvalidInput, NotAllowed
from rerank_lab.core.spend import CostEstimate
from rerank_lab.corpora import ImportOptions, load_corpus
from rerank_lab.jobs.table import JobTable
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import access, corpora, experiments, indexes, prompts, train
from rerank_lab.services.access import OWNER, Action, Role, Visitor, audit_path, visitors_by
from rerank_lab.services.comparisons import store as comparisons
from rerank_lab.services.grading import take_back
from rerank_lab.services.roles import read_roles
from rerank_lab.services.session import Session

DELETIONS: list[Callable[[], object]] = [
    lambda: corpora.delete("mine"),
    lambda: experiments.delete("0123"),
    lambda: train.delete("mine"),
    lambda: comparisons.delete("0123"),
    lambda: prompts.delete("mine"),
    lambda: indexes.delete(None, "bm25", None),  # type: ignore[arg-type]  (it is refused before)
]


@pytest.fixture
def become(home: Path) -> Iterator[Callable[[Role | None], None]]:
    """Work as somebody of that role from here on."""

    def begin(role: Role | None) -> None:
        visitors_by(lambda: Visitor("anna@example.org", role, signed_in=True))

    yield begin
    visitors_by(lambda: OWNER)


def record() -> list[dict[str, object]]:
    path = audit_path()
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_each_role_may_do_what_those_before_it_may_and_more() -> None:
    actions = [role.actions for role in Role]
    assert all(fewer < more for fewer, more in pairwise(actions))
    assert actions[0] == set()
    assert actions[-1] == set(Action)
    assert Action.DELETE not in Role.EDITOR.actions


@pytest.mark.parametrize("deletion", DELETIONS)
def test_only_an_admin_deletes(
    become: Callable[[Role | None], None], deletion: Callable[[], object]
) -> None:
    for role in (None, Role.VIEWER, Role.JUDGE, Role.EDITOR):
        become(role)
        with pytest.raises(NotAllowed):
            deletion()
    assert [entry["allowed"] for entry in record()] == [False] * 4


def test_an_admin_reaches_the_service_and_it_is_recorded(
    become: Callable[[Role | None], None],
) -> None:
    become(Role.ADMIN)
    with pytest.raises(InvalidInput):
        corpora.delete("nothing of that name")
    (entry,) = record()
    assert (entry["who"], entry["role"]) == ("anna@example.org", "admin")
    assert (entry["action"], entry["service"]) == ("delete", "corpora.delete")
    assert (entry["target"], entry["allowed"]) == ("nothing of that name", True)
    assert audit_path().stat().st_mode & 0o077 == 0


def test_the_owner_is_neither_refused_nor_recorded(home: Path) -> None:
    with pytest.raises(InvalidInput):
        corpora.delete("nothing of that name")
    assert record() == []


def test_a_viewer_may_not_judge_or_bring_files(become: Callable[[Role | None], None]) -> None:
    become(Role.VIEWER)
    with pytest.raises(NotAllowed, match="As viewer you may not give labels"):
        take_back(None)  # type: ignore[arg-type]
    with pytest.raises(NotAllowed, match="bring files"):
        comparisons.add(b"")
    become(Role.JUDGE)
    with pytest.raises(NotAllowed):
        comparisons.add(b"")
    become(Role.EDITOR)
    with pytest.raises(InvalidInput):
        comparisons.add(b"")


def test_who_may_not_spend_has_no_keys_and_a_meter_that_refuses(
    become: Callable[[Role | None], None], home: Path
) -> None:
    estimate = CostEstimate(1, 1.0, "search", 0.001)
    hosted = [Pipeline("bm25 >> cohere")]

    def context() -> object:
        session = Session(Engine(home), JobTable(), secrets={"COHERE_API_KEY": "k" * 20})
        return session.context(hosted)

    become(Role.JUDGE)
    ctx = context()
    assert ctx.secrets == {}  # type: ignore[attr-defined]
    with pytest.raises(NotAllowed, match="ask providers that charge"):
        ctx.spend.reserve(estimate, "cohere")  # type: ignore[attr-defined]
    become(Role.EDITOR)
    for _ in range(3):
        ctx = context()
    assert ctx.secrets == {"COHERE_API_KEY": "k" * 20}  # type: ignore[attr-defined]
    assert ctx.spend.reserve(estimate, "cohere") == 0.001  # type: ignore[attr-defined]
    spent = [entry for entry in record() if entry["action"] == "spend"]
    assert [(entry["allowed"], entry["target"]) for entry in spent] == [
        (False, "cohere"),
        (True, "bm25, cohere"),  # once, however often the page is drawn
    ]
    assert "k" * 20 not in audit_path().read_text()


def test_lines_of_many_threads_stay_whole(become: Callable[[Role | None], None]) -> None:
    become(Role.ADMIN)
    threads = [
        threading.Thread(target=access.require, args=(Action.DELETE, f"test.{n}", "x" * 500))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {entry["service"] for entry in record()} == {f"test.{n}" for n in range(20)}
    assert {len(str(entry["target"])) for entry in record()} == {120}


ROLES = """
roles:
  admin: [Anna@Example.org, "sub:007"]
  editor: [search-team]
  judge: ["*@example.org"]
claim: groups
signed_in: viewer
"""


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"email": "anna@example.org", "email_verified": True}, Role.ADMIN),
        ({"email": "anna@example.org", "email_verified": False}, Role.VIEWER),
        ({"email": "anna@example.org"}, Role.VIEWER),
        ({"sub": "007"}, Role.ADMIN),
        ({"email": "bob@example.org", "email_verified": True}, Role.JUDGE),
        ({"email": "bob@evil.org", "email_verified": True}, Role.VIEWER),
        ({"email": "b@example.org.evil.org", "email_verified": True}, Role.VIEWER),
        ({"groups": ["search-team", "other"]}, Role.EDITOR),
        ({"groups": "search-team"}, Role.EDITOR),
        ({"groups": ["anna@example.org", "*@example.org"]}, Role.VIEWER),
        ({"groups": ["sub:007"]}, Role.VIEWER),
        ({"other": ["search-team"]}, Role.VIEWER),
        ({}, Role.VIEWER),
    ],
)
def test_the_highest_role_that_fits(tmp_path: Path, claims: dict[str, object], role: Role) -> None:
    file = tmp_path / "roles.yaml"
    file.write_text(ROLES)
    assert read_roles(str(file)).member(claims).role is role


def test_without_a_file_or_a_word_strangers_look_or_sign_in(tmp_path: Path) -> None:
    assert read_roles("").stranger(can_sign_in=False).role is Role.VIEWER
    assert read_roles("").stranger(can_sign_in=True).role is None
    assert read_roles("").member({"sub": "1"}).role is Role.EDITOR
    file = tmp_path / "roles.yaml"
    file.write_text("visitor: judge\nsigned_in: none\n")
    assert read_roles(str(file)).stranger(can_sign_in=True).role is Role.JUDGE
    assert read_roles(str(file)).member({"sub": "1"}).role is None


@pytest.mark.parametrize(
    "text", ["roles: {boss: [a]}", "roles: [a]", "rolls: {}", "visitor: 3", "[", "trust_email: x"]
)
def test_a_file_that_is_not_understood_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "roles.yaml"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=r"roles\.yaml cannot be used"):
        read_roles(str(file))


def test_only_an_admin_puts_another_corpus_in_the_place_of_one(
    become: Callable[[Role | None], None], home: Path
) -> None:
    options = ImportOptions(replace=True)
    request = corpora.ImportRequest(home / "no-such.jsonl", "mine", options=options)
    become(Role.EDITOR)
    with pytest.raises(NotAllowed, match="may not delete"):
        corpora.start_import(
            request, "upload", Session(Engine(home), JobTable()), discard=lambda: None
        )


def test_pages_delete_and_store_by_services_only() -> None:
    ui = Path(access.__file__).parents[1] / "ui"
    below = re.compile(
        r"from rerank_lab\.(?!services|ui|views)\S+ import [^#\n]*\b(delete|save|import|attach)_\w+"
    )
    modules = {path: path.read_text("utf-8") for path in ui.rglob("*.py")}
    assert len(modules) > 50
    assert [path.name for path, text in modules.items() if below.search(_flat(text))] == []
    assert below.search("from rerank_lab.corpora.store import delete_corpus")


def _flat(text: str) -> str:
    """Each import on one line, and a line between any two."""
    return re.sub(r"\(([^)]*)\)", lambda match: " ".join(match[1].split()), text)


def test_the_indexes_of_a_deleted_corpus_go_with_it(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "garden.jsonl"
    file.write_text('{"text": "A rose."}\n{"text": "A tulip."}\n')
    corpora.run_import(corpora.ImportRequest(file, "Garden"))
    opened = load_corpus("Garden")
    folder = home / "indexes" / opened.content_hash[:16]
    folder.mkdir(parents=True)
    (folder / "bm25").mkdir()
    corpora.delete("Garden")
    assert not folder.exists()
