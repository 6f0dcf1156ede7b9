"""OpenVINO as a further engine: unquantised, closer to full precision, never mixed with int8."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.models import ModelOptions, Scorer, Usage, open_scorer
from rerank_lab.models.convert import cross_encoder
from rerank_lab.models.convert.conversion import converted_folder, read_conversion
from rerank_lab.models.convert.cross_encoder import OPENVINO_FORM
from rerank_lab.models.convert.precision import compare
from rerank_lab.models.locate.resolve import locate
from rerank_lab.models.onnx import openvino_session
from rerank_lab.rerankers.local.cross_encoder import CrossEncoderReranker
from tests.models.convert.test_cross_encoder import QUERY, TEXTS, exact
from tests.models.tiny import save_cross_encoder

OPENVINO = ModelOptions(device="cpu", backend="openvino")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_cross_encoder(tmp_path_factory.mktemp("models") / "m")


@pytest.fixture
def scorer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Scorer:
    pytest.importorskip("openvino")
    # Scores of a random model lie closer together than those of a trained one.
    monkeypatch.setattr(cross_encoder, "MIN_TAU", 0.8)
    return open_scorer(str(folder), Context(), OPENVINO)


def test_its_order_is_that_of_full_precision(scorer: Scorer, folder: Path) -> None:
    usage = Usage()
    scores = scorer.score(QUERY, TEXTS, Context(), usage)
    assert usage.backend == scorer.backend == f"openvino {openvino_session.precision()}"
    tau, difference = compare([scores], [exact(folder)])
    assert tau > 0.8
    assert difference < 0.2 * np.ptp(exact(folder))
    conversion = read_conversion(converted_folder(locate(str(folder)), OPENVINO_FORM))
    assert conversion is not None
    assert conversion.tau > 0.8
    assert conversion.first_token


def test_a_score_depends_on_its_own_text_only(scorer: Scorer) -> None:
    together = scorer.score(QUERY, TEXTS, Context())
    assert scorer.score(QUERY, TEXTS[::-1], Context())[::-1] == together
    assert [scorer.score(QUERY, [text], Context())[0] for text in TEXTS[:4]] == together[:4]


def test_scores_of_engines_are_never_taken_for_each_other(scorer: Scorer, folder: Path) -> None:
    torch = open_scorer(str(folder), Context(), ModelOptions(device="cpu", backend="torch"))
    assert scorer.digest != torch.digest
    fingerprints = {
        CrossEncoderReranker(model=str(folder), backend=backend).fingerprint()
        for backend in ("auto", "openvino", "onnx", "torch")
    }
    assert len(fingerprints) == 4


@pytest.mark.models
def test_a_carried_int8_graph_is_refused_with_what_to_do() -> None:
    pytest.importorskip("openvino")
    with pytest.raises(ModelUnavailable, match="openvino") as caught:
        open_scorer("ms-marco-minilm-l12", Context(), OPENVINO)
    assert "safetensors" in caught.value.hint


def test_without_the_extra_the_error_names_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_session, "find_spec", lambda _: None)
    with pytest.raises(ModelUnavailable, match="not installed") as caught:
        open_scorer(str(folder), Context(), OPENVINO)
    assert "rerank-lab[openvino]" in caught.value.hint


def test_models_are_had_without_importing_it() -> None:
    program = "import sys, rerank_lab.models; print('openvino' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_opening_a_model_tells_nobody() -> None:
    pytest.importorskip("openvino")
    program = (
        "import sys\n"
        "from rerank_lab.models.onnx.openvino_session import precision\n"
        "print(precision(), [name for name in sys.modules if 'openvino_telemetry' in name])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split(maxsplit=1)[1].strip() == "[]", done.stderr
