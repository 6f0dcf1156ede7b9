"""A tiny, randomly initialised model of a real architecture, against transformers itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import BackendError, Cancelled, ModelUnavailable
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.models.runtime.request import Usage
from rerank_lab.models.torch.causal import CausalModel
from rerank_lab.rerankers.llm.listwise import Listwise
from rerank_lab.rerankers.llm.pointwise import PointwiseLLM

torch = pytest.importorskip("torch")
TEXT = "[UNK] <s> </s> a b c d heat pump pumps move trains are fast question : ? . yes no"
WORDS = TEXT.split(" ")
TEMPLATE = "{% for m in messages %}<s> {{ m['content'] }} </s> {% endfor %}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    path = tmp_path_factory.mktemp("tiny") / "tiny-llama"
    vocabulary = {word: i for i, word in enumerate(WORDS)}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="[UNK]", bos_token="<s>", eos_token="</s>"
    )
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=256,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def reference(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    return AutoTokenizer.from_pretrained(folder), model


def test_a_likelihood_is_the_mean_log_probability_of_the_texts_own_tokens(folder: Path) -> None:
    before, text = "heat pumps move heat . question :", "are trains fast ?"
    found = CausalModel(str(folder)).likelihood(before, text, Context(), Usage())
    tokenizer, model = reference(folder)
    whole = tokenizer(f"{before} {text}", return_tensors="pt")["input_ids"]
    count = len(tokenizer(text)["input_ids"])
    loss = model(whole, labels=torch.cat([torch.full((1, whole.shape[1] - count), -100),
                                          whole[:, -count:]], 1)).loss  # fmt: skip
    assert count == 4
    assert found == pytest.approx(-loss.item(), abs=1e-5)


def test_an_answer_is_the_likeliest_one_by_the_models_own_template(folder: Path) -> None:
    turns = (("user", "heat pumps move"), ("user", "trains are"))
    made = CausalModel(str(folder)).generate(turns, 5, 3, Context(), Usage())
    tokenizer, model = reference(folder)
    prompt = "<s> heat pumps move </s> <s> trains are </s> "
    ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = model(ids).logits[0, -1].log_softmax(-1)
    best = logits.topk(3)
    assert [token for token, _ in made.first] == [WORDS[i] for i in best.indices.tolist()]
    assert [p for _, p in made.first] == pytest.approx(best.values.tolist(), abs=1e-5)
    assert made.tokens_out <= 5


def test_scores_do_not_depend_on_the_company(folder: Path) -> None:
    docs = [Document(str(i), text) for i, text in enumerate(("heat pumps", "trains are fast", "a"))]
    reranker = PointwiseLLM(backend="local", model=str(folder), form="likelihood")
    query = Query("q", "are pumps fast ?")
    together = {h.doc_id: h.score for h in reranker.rerank(query, docs, Context()).ranking}
    for doc in docs:
        alone = reranker.rerank(query, [doc], Context()).ranking.hits[0].score
        assert alone == pytest.approx(together[doc.id], abs=1e-6)


def test_a_model_that_talks_nonsense_leaves_the_order(folder: Path) -> None:
    docs = [Document("x", "heat"), Document("y", "trains")]
    result = Listwise(backend="local", model=str(folder), form="rankllm").rerank(
        Query("q", "heat ?"), docs, Context()
    )
    assert result.status is Status.FALLBACK
    assert result.ranking.doc_ids == ("x", "y")
    assert result.trace.counts["unusable"] == 2


def test_a_cancel_ends_an_answer_between_two_words(folder: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        CausalModel(str(folder)).generate(
            (("user", "heat"),), 200, 0, Context(cancel=token), Usage()
        )


def test_a_question_longer_than_the_model_reads_is_refused_with_a_way_out(folder: Path) -> None:
    with pytest.raises(BackendError) as caught:
        CausalModel(str(folder)).generate((("user", "heat " * 300),), 5, 0, Context(), Usage())
    assert "window" in caught.value.hint


def test_other_weights_mean_another_fingerprint(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "tiny-llama"
    shutil.copytree(folder, copy)
    here = PointwiseLLM(backend="local", model=str(folder))
    there = PointwiseLLM(backend="local", model=str(copy))
    assert here.weights_digest() == there.weights_digest()
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.5}))
    assert here.weights_digest() != there.weights_digest()


def test_a_model_that_is_not_there_is_a_problem_before_any_work() -> None:
    reranker = PointwiseLLM(backend="local", model="./no/such/folder")
    assert isinstance(reranker.problems()[0], ModelUnavailable)
