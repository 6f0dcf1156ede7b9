"""What changed since an evaluation ran, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rerank_lab.services.changes import Change, ChangeKind
from rerank_lab.views.formatting import counted


def changes_sentences(changes: Sequence[Change]) -> tuple[str, ...]:
    """A sentence for each change; those of packages in one."""
    packages = [change for change in changes if change.kind is ChangeKind.LIBRARY]
    sentences = [_SENTENCES[c.kind](c) for c in changes if c.kind is not ChangeKind.LIBRARY]
    if packages:
        words = ", ".join(f"{p.subject} {p.before} → {p.after or 'gone'}" for p in packages)
        sentences.append(f"Other versions of packages: {words}.")
    return tuple(sentences)


_SENTENCES: Mapping[ChangeKind, Callable[[Change], str]] = {
    ChangeKind.CORPUS_GONE: lambda c: f"The corpus {c.subject} is not here any more.",
    ChangeKind.CORPUS: lambda c: f"{c.subject} holds other documents now.",
    ChangeKind.JUDGMENTS: lambda c: (
        f"The judgments of {counted(c.count, 'query', 'queries')} are others now."
    ),
    ChangeKind.PROMPT: lambda c: f"The prompt of {c.subject} has other words now.",
    ChangeKind.FILES: lambda c: f"The files of {c.subject} are others now.",
    ChangeKind.COMPONENT: lambda c: f"{c.subject} works differently in this version.",
    ChangeKind.MISSING: lambda c: f"{c.subject} cannot be made here now, so it was not checked.",
    ChangeKind.SERVED: lambda c: (
        f"The provider answered for {c.subject} as {c.before}, and as {c.after} too or since then."
    ),
    ChangeKind.MIXED: lambda c: (
        f"Not all answers came from one environment: some are of {_day(c.before)}, others of "
        f"{_day(c.after)} after something had changed."
    ),
}


def _day(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC"
