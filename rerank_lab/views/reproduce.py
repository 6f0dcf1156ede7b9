"""What is on screen as a command and as Python, which give the same rankings when they are run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rerank_lab.core.judgment_basis import OWN, JudgmentBasis
from rerank_lab.core.types import Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.exclusions import with_exclusions
from rerank_lab.evaluation.experiments import Design, asked_queries
from rerank_lab.views.compare import CompareView
from rerank_lab.views.export import spec_that_ran
from rerank_lab.views.topic import Topic

_OWN_DOCUMENT = {None: (), True: ("--exclude-identical",), False: ("--no-exclude-identical",)}


def rank_command(view: CompareView) -> str:
    """The `rerank-lab rank` of the finished pipelines; "" while there is none."""
    if not view.ready:
        return ""
    topic = view.topic
    flags = _OWN_DOCUMENT[_excludes_itself(topic)]
    specs = [spec_that_ran(column) for column in view.ready]
    return _command("rank", (topic.corpus.name, topic.query.text), specs, flags)


def python_code(view: CompareView) -> str:
    """The same as Python; "" while no pipeline has finished."""
    if not view.ready:
        return ""
    topic = view.topic
    excludes = _excludes_itself(topic)
    option = "" if excludes is None else f", exclude_identical={excludes}"
    query = f"query = {topic.query.text!r}"
    if topic.query in topic.corpus.queries:
        query = f"query = next(q for q in corpus.queries if q.id == {topic.query.id!r})"
    specs = "\n".join(f"    {spec_that_ran(column)!r}," for column in view.ready)
    return (
        "import rerank_lab as rl\n\n"
        f"corpus = rl.load_corpus({topic.corpus.name!r}{option})\n"
        f"{query}\n"
        f"for spec in (\n{specs}\n):\n"
        "    result = rl.Pipeline(spec).run(query, corpus)\n"
        "    print(spec, result.ranking.doc_ids)\n"
    )


def evaluate_command(design: Design, corpus: Corpus, *, labelled: bool = False) -> str:
    """The `rerank-lab evaluate` of an experiment on this corpus, which excludes by the texts.

    "" when the corpus alone does not give its queries and judgments, as after an evaluation with
    files of one's own.

    Args:
        design: of the experiment.
        corpus: with the judgments that count by the design's basis.
        labelled: whether the lab holds labels of the corpus.
    """
    if corpus.content_hash != design.corpus_hash:
        return ""
    count = len(design.queries)
    for excludes, flags in _OWN_DOCUMENT.items():
        variant = corpus if excludes is None else with_exclusions(corpus, excludes)
        queries = asked_queries(variant.queries, corpus.qrels)
        qrels = {q.id: corpus.qrels[q.id] for q in queries[:count] if corpus.qrels.get(q.id)}
        if _asks(queries[:count]) == _asks(design.queries) and qrels == design.qrels:
            limit = ["--limit", str(count)] if count < len(queries) else []
            judgments = judgment_flags(design.basis, labelled=labelled)
            flags = (*flags, *judgments, *limit, "-m", *design.measures)
            return _command("evaluate", (corpus.name,), design.pipelines, flags)
    return ""


def judgment_flags(basis: JudgmentBasis, *, labelled: bool) -> tuple[str, ...]:
    """The options that let those judgments count; none where that is the default."""
    if not basis.with_labels:
        return ("--judgments", OWN) if labelled else ()
    flags = ["--judgments", basis.source]
    if basis.winner == OWN:
        flags += ["--winner", OWN]
    flags += ["--policy", basis.policy]
    for judge in basis.llm_judges:
        flags += ["--llm-judge", judge]
    return tuple(flags)


def _asks(queries: Sequence[Query]) -> list[tuple[str, str, frozenset[str]]]:
    """What is asked of pipelines; what else a query file says of a query does not matter."""
    return [(query.id, query.text, query.excluded) for query in queries]


def _excludes_itself(topic: Topic) -> bool | None:
    """Whether the query leaves out the document with its own id; None where there is none."""
    if topic.query.id not in topic.corpus.document_ids:
        return None
    return topic.query.id in topic.query.excluded


def _command(
    name: str, positional: Sequence[str], specs: Sequence[str], flags: Sequence[str]
) -> str:
    """With `--` where a word begins with a dash and would be read as an option."""
    options = ["-p", *specs, *flags]
    if any(word.startswith("-") for word in positional):
        return shlex.join(["rerank-lab", name, *options, "--", *positional])
    return shlex.join(["rerank-lab", name, *positional, *options])
