"""Head, torso and tail: queries in three bands of equal traffic."""

from __future__ import annotations

from collections.abc import Mapping

HEAD, TORSO, TAIL = BANDS = "head", "torso", "tail"


def traffic_bands(counts: Mapping[str, int]) -> dict[str, str]:
    """The band of each query, most frequent first; those asked equally often by their name.

    The head are the most frequent queries that make the first third of all that was asked, the
    torso those of the second third, the tail the rest. A query that begins within a third belongs
    to it.

    Args:
        counts: query -> how often it was asked, above 0.
    """
    total = sum(counts.values())
    bands, before = {}, 0
    for query, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        bands[query] = BANDS[min(2, 3 * before // total)]
        before += count
    return bands
