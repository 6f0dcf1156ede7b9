"""The catalogue: models as dated data, read from `catalogue.toml`.

A catalogue name may stand in a spec for its component with the model filled in. Any hub id or local
folder can be used as well; the catalogue only adds what is known of a model beforehand.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Carrier:
    """A registry package that carries the weights as plain files. Its code is never imported."""

    package: str
    version: str
    folder: str
    files: Mapping[str, str]
    """File name -> SHA-256 of its bytes."""


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """One model of the catalogue. Sizes in bytes, `max_length` in tokens, `as_of` an ISO date."""

    name: str
    title: str
    hub: str
    licence: str
    as_of: str
    retriever: str = ""
    reranker: str = ""
    languages: tuple[str, ...] = ()
    parameters: str = ""
    max_length: int = 512
    scale: str = ""
    weights: str = ""
    size: int = 0
    dimension: int = 0
    pooling: str = ""
    query_prefix: str = ""
    passage_prefix: str = ""
    note: str = ""
    carrier: Carrier | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def component(self, kind: str) -> str:
        """The component that this model fills as a retriever or reranker, "" when it is neither."""
        return {"retriever": self.retriever, "reranker": self.reranker}.get(kind, "")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Systems of the field that are no models of the catalogue: what is missing, what to use."""

    systems: str
    missing: str
    instead: str


@cache
def _read() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text("utf-8"))


@cache
def elsewhere() -> tuple[Elsewhere, ...]:
    """What the field names and the catalogue does not, in the order of the file."""
    return tuple(Elsewhere(**row) for row in _read()["elsewhere"])


@cache
def catalogue() -> Mapping[str, CatalogueModel]:
    """All models by name, in the order of the file."""
    models = _read()["models"].items()
    return MappingProxyType({name: _model(name, dict(entry)) for name, entry in models})


def _model(name: str, entry: dict[str, Any]) -> CatalogueModel:
    carrier = entry.pop("carrier", None)
    entry["languages"] = tuple(entry.get("languages", ()))
    return CatalogueModel(name=name, carrier=Carrier(**carrier) if carrier else None, **entry)
