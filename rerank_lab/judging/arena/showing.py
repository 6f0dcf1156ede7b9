"""What a battle puts on the two sides of the screen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rerank_lab.judging.arena.interleaving import InterleavedList, team_draft


class ArenaMode(StrEnum):
    """What the voter compares; the value stands in `ArenaVote.mode`."""

    LISTS = "lists"
    DOCUMENTS = "documents"
    INTERLEAVED = "interleaved"


@dataclass(frozen=True, slots=True)
class Showing:
    """The document ids of both sides, best first; or one interleaved list of both."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    interleaved: InterleavedList | None = None

    def digest(self, content_hash: Callable[[str], str]) -> str:
        """SHA-256 of the documents on screen and their texts, as 64 hexadecimal digits."""
        sides = (
            (self.left, self.right)
            if self.interleaved is None
            else (self.interleaved.doc_ids, tuple(map(str, self.interleaved.teams)))
        )
        lines = [f"{doc_id}\t{content_hash(doc_id)}" for side in sides for doc_id in (*side, "")]
        return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def showing(
    mode: ArenaMode, left: Sequence[str], right: Sequence[str], depth: int, seed: int
) -> Showing | None:
    """What to show of two rankings; None where nothing tells them apart.

    Two lists are their first `depth` documents. Two documents are those of the first rank, within
    `depth`, at which the rankings differ.

    Args:
        seed: of the draft of an interleaved list.
    """
    top_left, top_right = tuple(left[:depth]), tuple(right[:depth])
    if top_left == top_right:
        return None
    if mode is ArenaMode.INTERLEAVED:
        return Showing(top_left, top_right, team_draft(top_left, top_right, depth, seed))
    if mode is ArenaMode.LISTS:
        return Showing(top_left, top_right)
    ranks = zip(top_left, top_right, strict=False)
    return next((Showing((one,), (other,)) for one, other in ranks if one != other), None)
