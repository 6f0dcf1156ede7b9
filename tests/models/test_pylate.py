"""Folders as PyLate writes them: scores worked out here from the bare encoder and the projection.

The layout is that of PyLate 1.6: two modules, the second of PyLate's own class; prefixes that are
added tokens with a blank at their end; lengths, skiplist and query expansion in the configuration.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.models.probes import PROBES
from rerank_lab.rerankers.local.late_interaction import LateInteractionReranker
from tests.models.tiny import config_of, save_tokenizer

QUERY = PROBES[0].query
TEXTS = [text for probe in PROBES[:5] for text in (probe.answer, probe.decoy)]
LONG = "Paris is the capital of France . " * 20
QUERY_LENGTH, DOCUMENT_LENGTH, WIDTH = 20, 40, 8
SKIPPED = (".", ",", "?")


def save_pylate(folder: Path, **settings: Any) -> Path:
    """A random BERT with a projection, laid out as PyLate does; `settings` replace its defaults."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModel, AutoTokenizer

    torch.manual_seed(7)
    size = save_tokenizer(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["[Q] ", "[D] "])
    tokenizer.pad_token = "[MASK]"
    tokenizer.save_pretrained(folder)
    model = AutoModel.from_config(config_of("bert", size + 2, 1)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(4.0)
    model.save_pretrained(folder)
    (folder / "1_Dense").mkdir()
    save_file({"linear.weight": torch.randn(WIDTH, 32)}, folder / "1_Dense" / "model.safetensors")
    dense = {"in_features": 32, "out_features": WIDTH, "bias": False, "use_residual": False}
    dense["activation_function"] = "torch.nn.modules.linear.Identity"  # type: ignore[assignment]
    modules = [
        ("", "sentence_transformers.models.Transformer"),
        ("1_Dense", "pylate.models.Dense.Dense"),
    ]
    written: dict[str, Any] = {
        "1_Dense/config.json": dense,
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": kind}
            for i, (path, kind) in enumerate(modules)
        ],
        "sentence_bert_config.json": {"max_seq_length": 64, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "model_type": "ColBERT",
            "prompts": {"query": "", "document": ""},
            "default_prompt_name": None,
            "similarity_fn_name": "MaxSim",
            "query_prefix": "[Q] ",
            "document_prefix": "[D] ",
            "query_length": QUERY_LENGTH,
            "document_length": DOCUMENT_LENGTH,
            "attend_to_expansion_tokens": False,
            "skiplist_words": list(SKIPPED),
            "do_query_expansion": True,
            **settings,
        },
    }
    for name, content in written.items():
        (folder / name).write_text(json.dumps(content, indent=2))
    return folder


class ByHand:
    """ColBERT's rules on the bare parts: prefix, [MASK] to the length, no skipped words."""

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load_file
        from transformers import AutoModel, AutoTokenizer

        self.model = AutoModel.from_pretrained(folder).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.projection = load_file(folder / "1_Dense" / "model.safetensors")["linear.weight"]
        self.config = json.loads((folder / "config_sentence_transformers.json").read_text())

    def ids(self, text: str, prefix: str, length: int) -> list[int]:
        room = length - 1 if prefix else length
        found = self.tokenizer(text)["input_ids"]
        found = [*found[: room - 1], found[-1]] if len(found) > room else found
        marks = [self.tokenizer.convert_tokens_to_ids(prefix)] if prefix else []
        return [found[0], *marks, *found[1:]]

    def vectors(self, ids: list[int], attended: list[int]) -> Any:
        import torch

        with torch.inference_mode():
            states = self.model(
                input_ids=torch.tensor([ids]), attention_mask=torch.tensor([attended])
            ).last_hidden_state[0]
        return torch.nn.functional.normalize(states @ self.projection.T, dim=-1)

    def query(self, text: str) -> Any:
        ids = self.ids(text, self.config["query_prefix"], QUERY_LENGTH)
        attended = [1] * len(ids)
        if self.config["do_query_expansion"]:
            more = QUERY_LENGTH - len(ids)
            ids += [self.tokenizer.mask_token_id] * more
            attended += [int(self.config["attend_to_expansion_tokens"])] * more
        return self.vectors(ids, attended)

    def document(self, text: str) -> Any:
        ids = self.ids(text, self.config["document_prefix"], DOCUMENT_LENGTH)
        skipped = self.tokenizer.convert_tokens_to_ids(self.config["skiplist_words"])
        kept = [i for i, token in enumerate(ids) if token not in skipped]
        return self.vectors(ids, [1] * len(ids))[kept]

    def scores(self, query: str, texts: list[str]) -> list[float]:
        asked = self.query(query)
        return [float((asked @ self.document(text).T).max(dim=1).values.sum()) for text in texts]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"do_query_expansion": False},
        {"attend_to_expansion_tokens": True},
        {"query_prefix": "", "document_prefix": ""},
        {"skiplist_words": []},
    ],
    ids=["as-written", "no-expansion", "attended-expansion", "no-prefix", "no-skiplist"],
)
def test_a_folder_written_by_pylate_scores_as_pylate_does(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    folder = save_pylate(tmp_path, **settings)
    theirs = ByHand(folder).scores(QUERY, [*TEXTS, LONG])
    assert np.ptp(theirs) > 0.3, "a test on equal scores would prove nothing"
    docs = [Document(f"d{i}", text) for i, text in enumerate([*TEXTS, LONG])]
    reranker = LateInteractionReranker(model=str(folder), device="cpu", backend="torch")
    done = reranker.rerank(Query.of(QUERY), docs, Context())
    ours = [score for _, score in sorted((int(h.doc_id[1:]), h.score) for h in done.ranking)]
    np.testing.assert_allclose(ours, theirs, atol=1e-4)  # type: ignore[arg-type]
    assert done.status is Status.TRUNCATED, "the long text is longer than PyLate's document_length"
    assert done.trace.truncated == 1
