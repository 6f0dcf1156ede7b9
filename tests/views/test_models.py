"""The Models page's view model: what runs here, what does not and why."""

from __future__ import annotations

from rerank_lab.components import registry
from rerank_lab.components.catalogue import catalogue
from rerank_lab.components.model_state import Availability, LoadedModel
from rerank_lab.components.registry import Broken
from rerank_lab.views import models as views

READY = Availability("ready", "package", "Found in the package.", "", 34_000_000)
REMOTE = Availability("downloadable", "hub", "Fetched at first use.", "Load it once.", 90_900_000)
GONE = Availability("missing", "", "Not on this machine.", "Install the extra.", 0)


def lines(**states: Availability) -> dict[str, views.CatalogueLine]:
    named = {key.replace("_", "-"): state for key, state in states.items()}
    all_states = {name: named.get(name, GONE) for name in catalogue()}
    return {line.name: line for line in views.model_lines(catalogue(), all_states)}


def test_a_usable_model_needs_no_excuse() -> None:
    line = lines(ms_marco_minilm_l12=READY)["ms-marco-minilm-l12"]
    assert line.state_words == "Ready"
    assert (line.why, line.hint) == ("", "")
    assert (line.size, line.licence, line.languages) == ("34 MB", "Apache-2.0", "English")
    assert line.roles == ("reranker",)
    assert str(line.spec) == "bm25 >> ms-marco-minilm-l12"


def test_a_model_without_a_role_has_no_pipeline_of_its_own() -> None:
    line = next(line for line in lines().values() if not line.roles)
    assert line.spec is None
    assert views.health_words(None, line) == "–"


def test_what_cannot_run_says_why_and_what_to_do() -> None:
    line = lines()["bge-reranker-v2-m3"]
    assert line.state_words == "Not here"
    assert (line.why, line.hint) == ("Not on this machine.", "Install the extra.")
    assert line.size == "2.3 GB"


def test_what_runs_comes_first_and_is_counted() -> None:
    found = lines(bge_small_en=READY, all_minilm_l6=REMOTE)
    assert next(iter(found)) == "bge-small-en"
    shown = views.models_sentence(tuple(found.values()))
    total = len(catalogue())
    assert shown == (
        f"1 of {total} models runs here now; 1 more can be downloaded; "
        f"{total - 2} are out of reach."
    )


def test_a_model_in_memory_says_so() -> None:
    loaded = [LoadedModel("bge-small-en", "onnx int8", 60_000_000, False, 12.0)]
    states = {name: READY for name in catalogue()}
    first = views.model_lines(catalogue(), states, loaded)[0]
    assert (first.name, first.state_words) == ("bge-small-en", "In memory")
    assert views.loaded_lines(loaded)[0].use == "idle for 12 s"
    assert views.memory_sentence(loaded, 8_000_000_000) == (
        "Models hold 60 MB of the 8.0 GB they may use."
    )
    assert views.memory_share(loaded, 120_000_000) == 0.5
    assert views.memory_sentence([], 8_000_000_000).startswith("No model is in memory")


def test_every_installed_component_is_listed_and_broken_ones_first() -> None:
    bm25 = registry.info("retriever", "bm25")
    found = [bm25, Broken("odd", "reranker", "It raised.", "Traceback")]
    shown = views.component_lines(found)
    assert (shown[0].name, shown[0].problem, shown[0].details) == ("odd", "It raised.", "Traceback")
    assert any(line.name == "bm25" and "k1" in line.options for line in shown)
