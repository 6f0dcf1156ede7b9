"""Templates of requests: the query enters as a parameter or a whole JSON value, never as text.

A template is written by whoever sets up the engine; what a visitor types is the query alone. So the
one rule that keeps queries harmless is checked here: `{query}` stands where a value stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rerank_lab.core.errors import InvalidInput, nearest
from rerank_lab.core.text import load_json

SEARCHED_BY = frozenset(("query", "vector"))
"""One of these must stand in the template of a search."""
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*)\}")
_QUOTED = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*'      # a text with escapes
      | '(?:[^']|'')*'                # a text
      | "(?:[^"]|"")*"                # a name
      | --[^\n]*                      # a comment to the end of the line
      | /\*.*?\*/                     # a comment
      | \$(\w*)\$.*?\$\1\$            # a text in dollar quotes
    """,
    re.VERBOSE | re.DOTALL,
)
_SELECTS = re.compile(r"\s*(select|with)\b", re.IGNORECASE)


def sql_statement(
    template: str, names: tuple[str, ...], needs: frozenset[str] = SEARCHED_BY
) -> str:
    """A SQL template as psycopg takes it: `{query}` becomes `%(query)s`, a bound parameter.

    Args:
        template: one SELECT; `{{` and `}}` stand for braces.
        names: the placeholders that there are.
        needs: those of which one must be used.

    Raises:
        InvalidInput: it is no single SELECT, names an unknown placeholder, or has one inside
            quotes or a comment, where no parameter can be bound.
    """
    _check_statement(template)
    quoted = [match.span() for match in _QUOTED.finditer(template)]
    parts: list[str] = []
    used: set[str] = set()
    end = 0
    for match in _PLACEHOLDER.finditer(template):
        parts.append(template[end : match.start()].replace("%", "%%"))
        end = match.end()
        if match[1] is None:
            parts.append(match[0][0])
            continue
        if any(start < match.start() < stop for start, stop in quoted):
            raise InvalidInput(
                f"The template has {match[0]} inside quotes or a comment, where it would be text.",
                hint=f"Write it without quotes; parts are joined so: '%' || {match[0]} || '%'.",
            )
        _check_name(match[1], names)
        used.add(match[1])
        parts.append(f"%({match[1]})s")
    parts.append(template[end:].replace("%", "%%"))
    _check_used(used, needs)
    return "".join(parts).strip().rstrip(";")


def numbered(statement: str) -> str:
    """A statement of `sql_statement` as the server sees it, with $1 for its first parameter."""
    numbers: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        if match[1] is None:
            return "%"
        return f"${numbers.setdefault(match[1], len(numbers) + 1)}"

    return re.sub(r"%%|%\((\w+)\)s", number, statement)


def json_request(template: str, names: tuple[str, ...], *, needs_query: bool = True) -> Any:
    """A JSON template, parsed and checked; `filled` puts the values in.

    Raises:
        InvalidInput: it is no JSON object, names an unknown placeholder, or has one in a longer
            text or in a key, where it would be spliced into another language.
    """
    try:
        request = load_json(template)
    except ValueError as error:
        raise InvalidInput(
            f"The template is no JSON: {error}.",
            hint='Write the search body, such as {"query": {"match": {"text": "{query}"}}}.',
        ) from None
    if not isinstance(request, dict):
        raise InvalidInput(
            "The template must be a JSON object: the body of a search.",
            hint='Such as {"query": {"match": {"text": "{query}"}}}.',
        )
    used: set[str] = set()
    _check_value(request, names, used)
    _check_used(used, SEARCHED_BY if needs_query else frozenset())
    return request


def filled(request: Any, values: Mapping[str, Any]) -> Any:
    """A checked JSON template with values: a text that is just `{name}` becomes the value."""
    if isinstance(request, dict):
        return {key: filled(value, values) for key, value in request.items()}
    if isinstance(request, list):
        return [filled(value, values) for value in request]
    if isinstance(request, str):
        match = _PLACEHOLDER.fullmatch(request)
        if match is not None and match[1] in values:
            return values[match[1]]
    return request


def shortened_json(value: Any) -> str:
    """JSON for people: indented, a vector cut to its first numbers."""

    def short(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: short(inner) for key, inner in part.items()}
        if isinstance(part, list):
            if len(part) > 16 and all(isinstance(number, float) for number in part):
                return [*(round(number, 4) for number in part[:3]), f"... {len(part)} numbers"]
            return [short(inner) for inner in part]
        return part

    return json.dumps(short(value), ensure_ascii=False, indent=2)


def _check_statement(template: str) -> None:
    bare = _QUOTED.sub(" ", template)
    if not _SELECTS.match(bare):
        raise InvalidInput(
            "The template must be a SELECT (it may begin with WITH).",
            hint="It must give the columns id, text and score, and title where there is one.",
        )
    if ";" in bare.strip().rstrip(";"):
        raise InvalidInput(
            "The template holds more than one statement.", hint="Keep the SELECT alone."
        )


def _check_value(value: Any, names: tuple[str, ...], used: set[str]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if _named(key):
                raise InvalidInput(
                    f"The template has a placeholder in the key {key!r}.",
                    hint='Only values can be filled in, such as "query": "{query}".',
                )
            _check_value(inner, names, used)
    elif isinstance(value, list):
        for inner in value:
            _check_value(inner, names, used)
    elif isinstance(value, str):
        for name in _named(value):
            if value != f"{{{name}}}":
                raise InvalidInput(
                    f"The template has {{{name}}} inside the longer text {value[:80]!r}, where the "
                    "query would be read as a part of it.",
                    hint=f'Let it stand alone, "{{{name}}}", in a query that takes plain text, '
                    "such as match, multi_match or simple_query_string.",
                )
            _check_name(name, names)
            used.add(name)


def _named(text: str) -> list[str]:
    return [match[1] for match in _PLACEHOLDER.finditer(text) if match[1] is not None]


def _check_name(name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        listed = ", ".join(f"{{{one}}}" for one in names)
        raise InvalidInput(
            f"The template names {{{name}}}, which is nothing here{nearest(name, names)}.",
            hint=f"There are {listed}; braces of your own are written {{{{ and }}}}.",
        )


def _check_used(used: set[str], needs: frozenset[str]) -> None:
    if needs and not used & needs:
        raise InvalidInput(
            "The template does not use the query.",
            hint="Put {query} where the words are to stand, or {vector} for its embedding.",
        )
