"""All perturbations, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.errors import InvalidInput
from rerank_lab.evaluation.robustness.documents import DOCUMENT_PERTURBATIONS
from rerank_lab.evaluation.robustness.paraphrase import PARAPHRASE
from rerank_lab.evaluation.robustness.perturbations import Perturbation
from rerank_lab.evaluation.robustness.queries import QUERY_PERTURBATIONS

PERTURBATIONS: tuple[Perturbation, ...] = (
    *QUERY_PERTURBATIONS,
    PARAPHRASE,
    *DOCUMENT_PERTURBATIONS,
)


def perturbations(
    names: Sequence[str] = (), *, with_model: bool = False
) -> tuple[Perturbation, ...]:
    """The perturbations of these names in the order of the registry; all of them for no name.

    Args:
        names: which.
        with_model: whether a language model is named, which some of them need.

    Raises:
        InvalidInput: a name is none, or a language model is missing.
    """
    known = {one.name for one in PERTURBATIONS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InvalidInput(
            f"There is no perturbation {unknown[0]!r}.",
            hint=f"Choose from {', '.join(one.name for one in PERTURBATIONS)}.",
        )
    chosen = [one for one in PERTURBATIONS if not names or one.name in names]
    lacking = [one.name for one in chosen if one.needs_model and not with_model]
    if names and lacking:
        raise InvalidInput(
            f"{lacking[0]} needs a language model.", hint="Name one, such as --model gpt-4.1-mini."
        )
    return tuple(one for one in chosen if one.name not in lacking)
