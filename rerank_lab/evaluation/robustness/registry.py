"""All perturbations, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.errors import InvalidInput
from rerank_lab.evaluation.robustness.documents import DOCUMENT_PERTURBATIONS
from rerank_lab.evaluation.robustness.perturbations import Perturbation
from rerank_lab.evaluation.robustness.queries import QUERY_PERTURBATIONS

PERTURBATIONS: tuple[Perturbation, ...] = (*QUERY_PERTURBATIONS, *DOCUMENT_PERTURBATIONS)


def perturbations(names: Sequence[str] = ()) -> tuple[Perturbation, ...]:
    """The perturbations of these names in the order of the registry; all of them for no name.

    Raises:
        InvalidInput: a name is none.
    """
    known = {one.name for one in PERTURBATIONS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InvalidInput(
            f"There is no perturbation {unknown[0]!r}.",
            hint=f"Choose from {', '.join(one.name for one in PERTURBATIONS)}.",
        )
    return tuple(one for one in PERTURBATIONS if not names or one.name in names)
