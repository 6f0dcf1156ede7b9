"""The pipelines that a server answers with: names, rerankers for given documents, loading."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.guard import lab_errors
from rerank_lab.core.paths import user_path
from rerank_lab.core.spec import PipelineSpec, parse
from rerank_lab.core.storage import disk_errors
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.reranking import Stages
from rerank_lab.pipeline.resolution import reranking_all
from rerank_lab.server.refusals import RequestRefused
from rerank_lab.services.cost_estimates import calls_out

_MAX_BYTES = 1_000_000
_NAME = re.compile(r"[A-Za-z0-9][\w./:-]{0,99}", re.ASCII)


class _ConfigFile(msgspec.Struct, forbid_unknown_fields=True):
    pipelines: dict[str, str]


@dataclass(frozen=True, slots=True)
class ServedPipeline:
    """One pipeline under its name.

    Attributes:
        name: What clients ask for as `model`.
        pipeline: The whole of it, for search over a corpus.
        stages: Its rerankers, for documents that are given; None where it has none.
    """

    name: str
    pipeline: Pipeline
    stages: Stages | None

    @classmethod
    def of(cls, name: str, spec: str, documents: int) -> ServedPipeline:
        """The pipeline of a spec, ready to rerank up to so many documents of a request."""
        pipeline = Pipeline(spec)
        if not pipeline.spec.stages:
            return cls(name, pipeline, None)
        first, *others = pipeline.spec.stages
        as_written = parse(spec).nodes[1]
        stages = PipelineSpec((reranking_all(first, as_written, documents), *others))
        return cls(name, pipeline, Stages(stages))

    @property
    def reranker(self) -> Stages:
        """Its rerankers. Raises RequestRefused where it cannot rerank given documents."""
        if self.stages is None:
            raise RequestRefused(
                422, f"{self.name} has no reranker: it can only search, at /v1/search."
            )
        return self.stages

    def problems(self, corpus: Corpus | None, engine: Engine) -> Iterator[LabError]:
        """What would stop it from answering here, found without doing any work.

        Keys of providers come from the environment.
        """
        for leaf in self.stages.leaves if self.stages is not None else ():
            missing = engine.reranker(leaf).missing_key(Context())
            if missing is not None:
                yield missing
        if corpus is not None:
            yield from self.pipeline.check(corpus, engine)
        elif self.stages is not None:
            yield from self.stages.check(engine)
            if self.stages.scale == "order":
                yield InvalidInput(
                    f"{self.name} gives an order without scores, and every answer needs a score "
                    "for each document.",
                    hint="Let a reranker that scores come last.",
                )
        else:
            yield InvalidInput(
                f"{self.name} has no reranker, and there is no corpus to search.",
                hint="Add a reranker, such as >> ms-marco-minilm-l12, or name a --corpus.",
            )

    def load(self, corpus: Corpus | None, ctx: Context, engine: Engine) -> None:
        """Bring models and indexes into memory, so that no request waits for them.

        Raises the LabError of a pipeline that would fail.
        """
        if self.stages is not None:
            self.stages.load(ctx, engine)
            if not calls_out(self.pipeline.spec):  # a provider would charge for it
                warm = self.stages.rerank("what is it?", ["A text that is read."], ctx, engine)
                if warm.error is not None:
                    raise warm.error
        if corpus is not None:
            for node, kind in self.pipeline.leaves:
                if kind == "retriever":
                    with lab_errors(f"The first stage {node}"):
                        engine.built(node, corpus, ctx)


class ServedPipelines:
    """Every pipeline of a server, the first one standing for "whichever"."""

    def __init__(self, served: Mapping[str, ServedPipeline]) -> None:
        self._served = dict(served)

    def __iter__(self) -> Iterator[ServedPipeline]:
        return iter(self._served.values())

    def named(self, name: str) -> ServedPipeline:
        """The pipeline that a request asks for; the first one for no name.

        A server of a single pipeline answers with it whatever is asked for, so that clients with a
        model's name built in can be pointed to it; its answers say who answered.

        Raises:
            RequestRefused: several are served, and none is called so.
        """
        if name in self._served:
            return self._served[name]
        if not name or len(self._served) == 1:
            return next(iter(self._served.values()))
        names = ", ".join(self._served)
        raise RequestRefused(404, f"model: there is no such pipeline here; there are {names}.")


def served_pipelines(specs: Mapping[str, str], documents: int) -> ServedPipelines:
    """Parse the specs by name. Raises one InvalidInput that lists what is wrong with each."""
    served: dict[str, ServedPipeline] = {}
    problems: list[str] = []
    for name, spec in specs.items():
        try:
            served[name] = ServedPipeline.of(name, spec, documents)
        except LabError as error:
            problems.append(f"{name}: {error.message}")
    if problems:
        raise InvalidInput(
            "\n".join(problems),
            hint="Correct these pipelines; `rerank-lab models` lists the names that exist.",
            problems=problems,
        )
    return ServedPipelines(served)


def read_config(path: str) -> dict[str, str]:
    """Specs by name from a YAML file, `pipelines: {name: spec}`.

    Raises:
        InvalidInput: the file cannot be read, or something in it is not understood.
    """
    file = user_path(path)
    if not file.is_file():
        raise InvalidInput(f"There is no file {path!r}.", hint="Check the path.")
    with disk_errors(file):
        data = file.read_bytes()[: _MAX_BYTES + 1]
    try:
        if len(data) > _MAX_BYTES:
            raise ValueError(f"it is longer than {_MAX_BYTES:,} bytes")
        specs = msgspec.convert(yaml.safe_load(data.decode("utf-8-sig")), _ConfigFile).pipelines
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unusable(file, str(error).replace("\n", " ")) from None
    if not specs:
        raise _unusable(file, "it names no pipelines")
    for name in specs:
        if not _NAME.fullmatch(name):
            raise _unusable(file, f"{name!r} cannot name a pipeline: letters, digits and ._/:-")
    return specs


def _unusable(file: Path, problem: str) -> InvalidInput:
    return InvalidInput(
        f"{file.name} cannot be used: {problem}.",
        hint="It holds `pipelines:`, and below it one NAME: SPEC a line, the spec in quotes.",
    )
