"""A pipeline as an experiment file, which `rerank-lab experiment run` runs and holds to gates."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from rerank_lab.decision.shipping.shipment import Shipment, ShippedFile, file_stem

_SENTENCE = (
    "An experiment file with this pipeline: rerank-lab experiment run holds its gates, also in "
    "continuous integration. Its corpus goes by name; write a path where it is not imported."
)


def experiment_yaml(
    spec: str,
    name: str,
    corpus: str,
    measures: Sequence[str],
    gates: Sequence[str] = (),
) -> Shipment:
    """The experiment file.

    Args:
        spec: The canonical spec.
        name: How the pipeline is called.
        corpus: Its name, or a path.
        measures: The primary one first.
        gates: Their lines.
    """
    values = {
        "corpus": corpus,
        "pipelines": {name: spec},
        "measures": list(measures),
        "gates": [*gates, "answered >= 99 %"],
    }
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1_000_000)
    return Shipment("yaml", "YAML", _SENTENCE, (ShippedFile.text(f"{file_stem(name)}.yaml", text),))
