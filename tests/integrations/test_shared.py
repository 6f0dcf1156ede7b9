from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.core.work import Work
from rerank_lab.integrations.shared import Placed, document, rerank

EXTRAS = [
    ("langchain", "langchain_core", "langchain"),
    ("llama_index", "llama_index", "llama-index"),
    ("haystack", "haystack", "haystack"),
]


@pytest.mark.parametrize(("module", "package", "extra"), EXTRAS)
def test_a_missing_framework_is_told_with_the_command_to_install(
    module: str, package: str, extra: str
) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from rerank_lab.core.errors import MissingExtra\n"
        f"try: import rerank_lab.integrations.{module}\n"
        "except MissingExtra as error: print(error.hint)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.stdout.strip() == f"Install them with: pip install 'rerank-lab[{extra}]'", (
        shown.stderr
    )


def test_the_wrappers_package_imports_no_framework() -> None:
    code = (
        "import sys, rerank_lab, rerank_lab.integrations.shared, rerank_lab.integrations\n"
        "print({'langchain_core', 'llama_index', 'haystack'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_an_order_kept_because_the_model_did_not_answer_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lab_test_plugin

    def unanswered(
        self: object, query: Query, docs: list[Document], work: Work
    ) -> tuple[Ranking, Status]:
        work.warn("the server was silent")
        return Ranking.from_order(query.id, [doc.id for doc in docs]), Status.FALLBACK

    monkeypatch.setattr(lab_test_plugin.ByLength, "_rank", unanswered)
    with caplog.at_level(logging.WARNING, "rerank_lab"):
        found = rerank("by-length", "q", [document(t, {}, "", 0) for t in ("a", "b")])
    assert found.order == (Placed(0, None), Placed(1, None))
    assert "the server was silent" in caplog.text
    assert "order of the stage before stays" in caplog.text
