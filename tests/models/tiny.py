"""Tiny randomly initialised models, saved to a folder the way a trained one would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rerank_lab.models.probes import PROBES

SPECIAL = {"cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "unk": "[UNK]", "mask": "[MASK]"}
ARCHITECTURES = ("bert", "xlm-roberta", "deberta-v2", "modernbert")


def save_tokenizer(
    folder: Path, pairs: str = "$A [SEP] $B:1", extra: tuple[str, ...] = (), types: bool = True
) -> int:
    """A word-level tokenizer over the words of the probes; the size of its vocabulary."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = {
        word.strip(".,;?").lower()
        for probe in PROBES
        for text in (probe.query, probe.answer, probe.decoy)
        for word in text.split()
    }
    vocabulary = [SPECIAL["pad"], *(v for k, v in SPECIAL.items() if k != "pad"), *extra]
    vocabulary += [".", ",", "?", *sorted(words)]
    ids = {token: i for i, token in enumerate(dict.fromkeys(vocabulary))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair=f"[CLS] {pairs} [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        additional_special_tokens=list(extra),
        model_input_names=["input_ids", *(["token_type_ids"] if types else []), "attention_mask"],
        **{f"{kind}_token": token for kind, token in SPECIAL.items()},
    )
    fast.save_pretrained(str(folder))
    return len(ids)


def config_of(architecture: str, vocabulary: int, labels: int) -> Any:
    from transformers import BertConfig, DebertaV2Config, ModernBertConfig, XLMRobertaConfig

    shape = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "pad_token_id": 0,
        "num_labels": labels,
    }
    if architecture == "bert":
        return BertConfig(**shape, max_position_embeddings=64)
    if architecture == "xlm-roberta":
        return XLMRobertaConfig(**shape, max_position_embeddings=66, type_vocab_size=1)
    if architecture == "deberta-v2":
        return DebertaV2Config(
            **shape,
            max_position_embeddings=64,
            relative_attention=True,
            position_buckets=16,
            pos_att_type=["p2c", "c2p"],
            type_vocab_size=0,
        )
    return ModernBertConfig(
        **shape, max_position_embeddings=64, cls_token_id=1, sep_token_id=2, local_attention=16
    )


def save_cross_encoder(
    folder: Path, architecture: str = "bert", labels: int = 1, spread: float = 40.0
) -> Path:
    """A cross-encoder whose head is `spread` times larger than usual, so that scores differ."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(7)
    size = save_tokenizer(folder, types=architecture == "bert")
    config = config_of(architecture, size, labels)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2:
                parameter.mul_(spread if "classifier" in name else 4.0)
    model.save_pretrained(str(folder))
    return folder


def save_module_chain(folder: Path) -> Path:
    """A cross-encoder of encoder, pooling and dense layers, as the Ettin rerankers are saved."""
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import AutoModel

    torch.manual_seed(7)
    size = save_tokenizer(folder, types=False)
    AutoModel.from_config(config_of("modernbert", size, 1)).eval().save_pretrained(str(folder))
    hidden = Dense(32, 32, bias=False, activation_function=torch.nn.GELU())
    head = Dense(32, 1, activation_function=torch.nn.Identity(), module_output_name="scores")
    with torch.no_grad():
        hidden.linear.weight.mul_(40.0)
        head.linear.weight.mul_(40.0)
    chain = [Transformer(str(folder)), Pooling(32, "cls"), hidden, head]
    CrossEncoder(modules=chain, device="cpu").save_pretrained(str(folder))
    return folder


def save_bi_encoder(
    folder: Path, pooling: str = "mean", prompts: dict[str, str] | None = None
) -> Path:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoModel

    torch.manual_seed(7)
    size = save_tokenizer(folder)
    model = AutoModel.from_config(config_of("bert", size, 1)).eval()
    model.save_pretrained(str(folder))
    first = Transformer(str(folder))
    modules = [first, Pooling(32, pooling_mode=pooling)]
    SentenceTransformer(modules=modules, prompts=prompts or {}, device="cpu").save(str(folder))
    return folder


def save_multi_vector(folder: Path) -> Path:
    """A late-interaction model with a 32 to 8 projection, as sentence-transformers saves it."""
    import torch
    from sentence_transformers import MultiVectorEncoder
    from transformers import AutoModel

    torch.manual_seed(7)
    size = save_tokenizer(folder)
    AutoModel.from_config(config_of("bert", size, 1)).eval().save_pretrained(str(folder))
    MultiVectorEncoder(str(folder), device="cpu").save(str(folder / "mv"))
    return folder / "mv"


def save_splade(folder: Path) -> Path:
    """A tiny masked language model whose logits are spread out, so that vectors differ."""
    import torch
    from transformers import AutoModelForMaskedLM

    torch.manual_seed(7)
    size = save_tokenizer(folder)
    model = AutoModelForMaskedLM.from_config(config_of("bert", size, 1)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(6.0)
    model.save_pretrained(str(folder))
    return folder
