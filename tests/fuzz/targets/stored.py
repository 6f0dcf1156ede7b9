"""What the lab itself keeps, and folders of models."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path

from rerank_lab.core.errors import LabError
from rerank_lab.core.types import Query
from rerank_lab.corpora.importing import stored_summary
from rerank_lab.corpora.load import corpus_from_texts, load_corpus
from rerank_lab.corpora.store import list_corpora
from rerank_lab.evaluation.experiments.store import list_experiments, load_experiment
from rerank_lab.fusion.learned.store import list_models
from rerank_lab.models.locate.resolve import availability, locate
from rerank_lab.models.locate.soundness import require_sound
from rerank_lab.services import comparisons
from rerank_lab.services.comparisons.records import comparison_of, header_of, to_bytes
from tests.corpora.make import BEIR, zipped
from tests.evaluation.experiments.old_folders import write_old_folder
from tests.fuzz.targets.base import (
    home_at,
    named,
    split_name,
)


@cache
def saved_comparison() -> bytes:
    from tests.services.comparisons.test_saved import kept

    return to_bytes(kept())


def read_comparison(data: bytes, folder: Path) -> None:
    """A saved comparison, uploaded and listed."""
    header_of(data.split(b"\n")[0].decode("utf-8", "replace"))
    (folder / "comparisons").mkdir()
    (folder / "comparisons" / "0123456789abcdef.jsonl").write_bytes(data)
    comparisons.list_saved()
    to_bytes(comparison_of(data))


@cache
def model_files() -> dict[str, bytes]:
    """The files of a small cross-encoder."""
    from tests.models.tiny import save_cross_encoder

    with tempfile.TemporaryDirectory() as folder:
        save_cross_encoder(Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


MODULES = json.dumps(
    [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {
            "idx": 1,
            "name": "1",
            "path": "1_Pooling",
            "type": "sentence_transformers.models.Pooling",
        },
    ]
)


def model_seeds() -> list[bytes]:
    files = model_files()
    weights = files["model.safetensors"]
    header = weights[: 8 + int.from_bytes(weights[:8], "little")]
    return [
        *(named(name, data) for name, data in files.items() if name.endswith(".json")),
        named("model.safetensors", header[:8000]),
        named("modules.json", MODULES),
        named("model.safetensors.index.json", '{"weight_map": {"a": "model.safetensors"}}'),
        named("adapter_config.json", '{"peft_type": "LORA", "base_model_name_or_path": "a/b"}'),
        named("sentence_bert_config.json", '{"max_seq_length": 128, "do_lower_case": false}'),
    ]


def read_model_folder(data: bytes, folder: Path) -> None:
    """A model's folder in which one file was damaged: looked at, configured, opened."""
    from rerank_lab.models.torch import loading

    name, content = split_name(data)
    model = folder / "m"
    model.mkdir()
    for file, original in model_files().items():
        (model / file).write_bytes(original)
    (model / name).write_bytes(content)
    located = locate(str(model))
    availability(str(model))
    assert located.max_length > 0
    assert isinstance(located.architecture, str)
    require_sound(located)
    loading.load_config(located)
    loading.load_tokenizer(located)
    loading.load_model(located, "AutoModelForSequenceClassification", "float32")


@cache
def own_files() -> dict[str, bytes]:
    """Files that the lab keeps in its data folder, by path: a corpus, an experiment, a model."""
    from rerank_lab.corpora.importing import import_corpus
    from rerank_lab.evaluation.experiments import plan, run
    from rerank_lab.pipeline.engine import Engine

    with tempfile.TemporaryDirectory() as name, home_at(Path(name)):
        home = Path(name)
        (home / "up.zip").write_bytes(zipped(BEIR))
        import_corpus(home / "up.zip", "mine")
        experiment = plan(corpus_from_texts("one\ntwo"), ["bm25"], queries=[Query("q", "one")])
        done = run(experiment, engine=Engine(home))
        write_old_folder(home, done.design, done.cells.values())
        return {
            path.relative_to(home).as_posix(): path.read_bytes()
            for path in home.rglob("*.json*")
            if path.stat().st_size < 20_000
        }


def own_seeds() -> list[bytes]:
    return [named(path.replace("/", "|"), data) for path, data in own_files().items()]


def read_own_files(data: bytes, home: Path) -> None:
    """The data folder, one file of which a disk or a person damaged: every list and every entry."""
    name, content = split_name(data)
    for path, original in own_files().items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(content if path == name.replace("|", "/") else original)
    refusals: list[LabError] = []
    for entry in list_corpora():
        if entry.kind == "imported":
            try:
                load_corpus(entry.name)
                stored_summary(entry.name)
            except LabError as error:
                refusals.append(error)
    for experiment in list_experiments():
        try:
            load_experiment(experiment.id)
        except LabError as error:
            refusals.append(error)
    list_models()
    if refusals:
        raise refusals[0]
