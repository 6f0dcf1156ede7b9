"""Conversion to int8 ONNX: kept only when the order survives, and never half-made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import Cancelled
from rerank_lab.models import ModelOptions, Usage, open_encoder, open_scorer
from rerank_lab.models.convert import cross_encoder as convert
from rerank_lab.models.convert import torch_export
from rerank_lab.models.convert.conversion import converted_folder, read_conversion
from rerank_lab.models.convert.precision import compare
from rerank_lab.models.locate.resolve import locate
from rerank_lab.models.probes import PROBES
from rerank_lab.models.relevance_head import Head
from tests.models.spoiled import spoil_int8
from tests.models.tiny import save_bi_encoder, save_cross_encoder

QUERY = PROBES[0].query
TEXTS = [text for probe in PROBES for text in (probe.answer, probe.decoy)]


def exact(folder: Path) -> list[float]:
    options = ModelOptions(device="cpu", backend="torch")
    return open_scorer(str(folder), Context(), options).score(QUERY, TEXTS, Context())


@pytest.mark.parametrize("architecture", ["bert", "xlm-roberta"])
def test_a_converted_model_keeps_its_scores(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "MIN_TAU", 0.6)
    folder = save_cross_encoder(tmp_path / "m", architecture)
    scorer = open_scorer(str(folder), Context())
    assert scorer.backend == "onnx int8"
    tau, difference = compare([scorer.score(QUERY, TEXTS, Context())], [exact(folder)])
    assert tau > 0.6
    assert difference < 0.5 * np.ptp(exact(folder))
    found = read_conversion(converted_folder(locate(str(folder))))
    assert found is not None
    assert found.tau >= 0.6
    assert found.probes > 100


def test_when_int8_changes_the_order_full_precision_runs_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_int8(monkeypatch)
    folder = save_cross_encoder(tmp_path / "m")
    scorer = open_scorer(str(folder), Context())
    usage = Usage()
    scores = scorer.score(QUERY, TEXTS, Context(), usage)
    assert scorer.backend == "onnx fp32"
    np.testing.assert_allclose(scores, exact(folder), atol=1e-3)
    assert "int8 is not used" in usage.warnings[0]


def test_what_cannot_be_exported_runs_on_torch_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("Unsupported: aten::something")

    monkeypatch.setattr(torch_export, "export", refuse)
    folder = save_cross_encoder(tmp_path / "m")
    scorer = open_scorer(str(folder), Context())
    usage = Usage()
    scores = scorer.score(QUERY, TEXTS, Context(), usage)
    assert scorer.backend == "torch float32 cpu"
    assert "aten::something" in usage.warnings[0]
    np.testing.assert_allclose(scores, exact(folder), atol=1e-4)


def test_conversion_happens_once_and_leaves_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    located = locate(str(save_cross_encoder(tmp_path / "m")))
    target = converted_folder(located)
    token = CancelToken()
    export = torch_export.export

    def cancelled_meanwhile(*args: object) -> None:
        export(*args)  # type: ignore[arg-type]
        token.cancel()

    monkeypatch.setattr(torch_export, "export", cancelled_meanwhile)
    with pytest.raises(Cancelled):
        convert.convert(located, Head(), Context(cancel=token))
    assert list(target.parent.iterdir()) == []
    monkeypatch.setattr(torch_export, "export", export)
    first = convert.convert(located, Head(), Context())
    assert json.loads((target / "conversion.json").read_text())["precision"] == first.precision
    monkeypatch.setattr(torch_export, "export", lambda *_: pytest.fail("converted twice"))
    assert convert.convert(located, Head(), Context()) == first


def test_comparing_orders() -> None:
    assert compare([[1.0, 2.0, 3.0]], [[10.0, 20.0, 30.5]]) == (1.0, 27.5)
    assert compare([[3.0, 2.0, 1.0]], [[1.0, 2.0, 3.0]])[0] == -1.0
    assert compare([[1.0, 1.0]], [[1.0, 1.0]])[0] == 0.0


def test_a_converted_model_opens_without_torch(tmp_path: Path, home: Path) -> None:
    folder = str(save_bi_encoder(tmp_path / "m"))
    open_encoder(folder, Context())
    program = (
        "import sys\n"
        "from rerank_lab.core.context import Context\n"
        "from rerank_lab.models import open_encoder\n"
        f"open_encoder({folder!r}, Context()).encode(['Paris'], 'query', Context())\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    environment = os.environ | {"RERANK_LAB_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert done.stdout.strip() == "[]", done.stderr
