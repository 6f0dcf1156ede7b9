"""Tiny language models of published architectures with random weights, saved with a tokenizer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rerank_lab.models.probes import PROBES
from rerank_lab.models.prompt_templates import DECODERS, DUOT5, SEQ2SEQ

QUERY = PROBES[0].query
TEXTS = [text for probe in PROBES[:5] for text in (probe.answer, probe.decoy)]
ALL = {**DECODERS, **SEQ2SEQ, "duot5": DUOT5}
TURNS = ("<|im_start|>", "<|im_end|>", "<extra_id_10>")


def save_tokenizer(
    folder: Path,
    more: Sequence[str] = (),
    special: Sequence[str] = TURNS,
    single: str = "<s> $A",
) -> int:
    """Words of the probes and of every template, with control tokens; no padding token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    spoken = [part for t in ALL.values() for part in (*t.parts, *t.instructed, t.instruction)]
    spoken += [t.true for t in ALL.values()] + [t.false for t in ALL.values()]
    spoken += [QUERY, *TEXTS, *more]
    words = sorted({word for text in spoken for word in re.findall(r"\w+|[^\w\s]+", text)})
    ids = {token: i for i, token in enumerate(dict.fromkeys(("<s>", "</s>", "<unk>", *words)))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single,
        pair="<s> $A <s>:1 $B:1",
        special_tokens=[("<s>", 0), ("</s>", 1)],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=list(special),
        model_input_names=["input_ids", "attention_mask"],
    )
    fast.save_pretrained(str(folder))
    return len(fast)


def save_model(
    folder: Path,
    architecture: str,
    words: Sequence[str] = (),
    special: Sequence[str] = TURNS,
    **more: Any,
) -> Path:
    import torch
    import transformers

    folder.mkdir(exist_ok=True)
    torch.manual_seed(7)
    single = "$A </s>" if architecture.startswith("T5") else "<s> $A"
    size = save_tokenizer(folder, words, special, single)
    shape: dict[str, Any] = {"vocab_size": size, "bos_token_id": 0, "eos_token_id": 1, **more}
    if architecture.startswith("T5"):
        shape |= {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}
        shape |= {"decoder_start_token_id": 2, "pad_token_id": 2}
    else:
        shape |= {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
        shape |= {"intermediate_size": 64, "num_key_value_heads": 1, "head_dim": 16}
        shape |= {"max_position_embeddings": 512, "num_labels": 1, "pad_token_id": None}
    config = getattr(transformers, re.sub("For.*", "Config", architecture))(**shape)
    model = getattr(transformers, architecture)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(4.0)
    model.save_pretrained(str(folder))
    return folder


def loaded(folder: Path, kind: str) -> tuple[Any, Any]:
    import transformers

    model = getattr(transformers, kind).from_pretrained(folder).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)
