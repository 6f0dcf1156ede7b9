"""Groups of queries: by the columns that came with them, and by what their texts tell.

A group cuts queries into tags: `kind` into easy and hard, `length` into short and long. A query may
have several tags of a group, or none. Columns that do not group (free text, an id a query) are left
out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rerank_lab.core.languages import language_name
from rerank_lab.core.traffic import BANDS, traffic_bands
from rerank_lab.core.types import Query
from rerank_lab.corpora.languages import query_languages

MOST_TAGS = 30
"""A column with more different values than this is no group."""
FREQUENCY, WEIGHT, TAGS = "frequency", "weight", "tags"
"""Columns with a meaning of their own: how often it is asked, how much it counts, free tags."""
TRAFFIC, LENGTH, LANGUAGE = "traffic", "length", "language"
"""Groups that are derived: from frequencies or band tags, from the words, from the language."""
_LEAST_SHARE = 3
"""So many queries a tag, on average, a column must have to be a group."""
_TAG_CHARS = 60
_LENGTHS = ((2, "1 to 2 words"), (5, "3 to 5 words"), (10, "6 to 10 words"))
_LONGER = "11 words or more"
_BETWEEN = re.compile("[,;]")
_WORD = re.compile(r"\w+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Scripts that put no space between words: Thai, Lao, Khmer, Japanese, Chinese."""
_LANGUAGE_COLUMNS = frozenset({"lang", LANGUAGE})


@dataclass(frozen=True, slots=True)
class TagGroup:
    """A way to group queries: `tags` holds the query ids by tag, the tags in their order."""

    name: str
    tags: Mapping[str, tuple[str, ...]]

    def weights(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Query id -> weight, so that each tag counts by its share, however many queries it has.

        Args:
            shares: by tag, 0 or more; tags that are left out, or have 0, do not count.
        """
        weights: dict[str, float] = {}
        for tag, query_ids in self.tags.items():
            for query_id in query_ids if shares.get(tag, 0.0) > 0 else ():
                weights[query_id] = weights.get(query_id, 0.0) + shares[tag] / len(query_ids)
        return weights


def tag_groups(queries: Sequence[Query]) -> tuple[TagGroup, ...]:
    """The groups that these queries allow: columns by name, then what is derived.

    A group has two tags at least, and not so many that hardly any holds several queries.
    """
    columns = sorted({name for query in queries for name in query.meta})
    groups = [_group(name, ((q.id, _values(q.meta.get(name))) for q in queries))
              for name in columns if name not in (FREQUENCY, WEIGHT)]  # fmt: skip
    groups.append(_traffic(queries))
    if not _LANGUAGE_COLUMNS & set(columns):
        groups.append(_group(LANGUAGE, ((q.id, _language(q.text)) for q in queries)))
    lengths = _group(LENGTH, ((q.id, _length(q.text)) for q in queries))
    order = [*(name for _, name in _LENGTHS), _LONGER]
    groups.append(TagGroup(LENGTH, {t: lengths.tags[t] for t in order if t in lengths.tags}))
    return tuple(group for group in groups if _groups(group))


def own_weights(queries: Sequence[Query]) -> dict[str, float]:
    """Query id -> the number in its column `weight`, where it is above 0."""
    numbers = {query.id: _number(query.meta.get(WEIGHT)) for query in queries}
    return {query_id: number for query_id, number in numbers.items() if number > 0}


def grouping_columns(query: Query) -> dict[str, Any]:
    """The columns of a query that may group or weigh it, as plain JSON values; the rest is left."""
    columns: dict[str, Any] = {}
    for name, value in query.meta.items():
        if name in (FREQUENCY, WEIGHT):
            columns |= {name: number} if (number := _number(value)) else {}
        elif tags := _values(value):
            columns[name] = tags[0] if len(tags) == 1 else list(tags)
    return columns


def _group(name: str, tagged: Iterable[tuple[str, tuple[str, ...]]]) -> TagGroup:
    """Tags in the order of their size, equal ones by name."""
    members: dict[str, list[str]] = {}
    for query_id, tags in tagged:
        for tag in dict.fromkeys(tags):
            members.setdefault(tag, []).append(query_id)
    by_size = sorted(members, key=lambda tag: (-len(members[tag]), tag))
    return TagGroup(name, {tag: tuple(members[tag]) for tag in by_size})


def _groups(group: TagGroup) -> bool:
    sizes = [len(query_ids) for query_ids in group.tags.values()]
    return 2 <= len(sizes) <= MOST_TAGS and sum(sizes) >= _LEAST_SHARE * len(sizes)


def _traffic(queries: Sequence[Query]) -> TagGroup:
    """Head, torso and tail: by the tags of a log sample, else by frequencies of the queries."""
    tagged = {q.id: [t for t in _values(q.meta.get(TAGS)) if t in BANDS] for q in queries}
    if not any(tagged.values()):
        counts = {query.id: int(_number(query.meta.get(FREQUENCY))) for query in queries}
        counts = {query_id: count for query_id, count in counts.items() if count > 0}
        tagged = {query_id: [band] for query_id, band in traffic_bands(counts).items()}
    group = _group(TRAFFIC, ((query_id, tuple(bands)) for query_id, bands in tagged.items()))
    return TagGroup(TRAFFIC, {band: group.tags[band] for band in BANDS if band in group.tags})


def _values(value: object) -> tuple[str, ...]:
    """The tags in a column's value: a number, words parted by commas or semicolons, or a list.

    () for anything else, and for text that is too long to be tags.
    """
    if isinstance(value, bool):
        return ("yes" if value else "no",)
    if isinstance(value, list | tuple):
        return tuple(
            tag for one in value if not isinstance(one, list | tuple) for tag in _values(one)
        )
    if isinstance(value, str | int | float):
        text = str(value)
        if len(text) > _TAG_CHARS:
            return ()
        return tuple(tag for part in _BETWEEN.split(text) if (tag := part.strip()))
    return ()


def _number(value: object) -> float:
    """A number, also one that is written as text; 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return 0.0
    try:
        number = float(value)
    except ValueError:
        return 0.0
    return number if 0 < number < float("inf") else 0.0


def _language(text: str) -> tuple[str, ...]:
    codes = query_languages(text)
    return (language_name(next(iter(codes))),) if len(codes) == 1 else ()


def _length(text: str) -> tuple[str, ...]:
    words = len(_WORD.findall(text))
    if not words or _UNSPACED.search(text):
        return ()
    return (next((name for most, name in _LENGTHS if words <= most), _LONGER),)
