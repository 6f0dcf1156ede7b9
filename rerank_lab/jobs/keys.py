"""What makes two jobs the same job: a typed value for each kind of work."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Generic, TypeVar

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class JobKey(Generic[R_co]):
    """Base of all job keys: equal when they are of one class and all fields are equal.

        @dataclass(frozen=True, slots=True)
        class TrainKey(JobKey[LearnedModel]):
            model: str

    Each kind of work has a subclass, so that whoever looks at a job reads its fields, and a type
    for what the job results in.
    """

    @property
    def digest(self) -> str:
        """Ten hexadecimal digits that stand for the key, such as in the name of a button."""
        return hashlib.sha256(repr(self).encode("utf-8", "backslashreplace")).hexdigest()[:10]
