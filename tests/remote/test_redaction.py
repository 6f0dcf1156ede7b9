"""Keys are taken out of texts however a server wrote them."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rerank_lab.remote.redaction import REMOVED, redacted

KEY = "sk-ab/c+d=EF_gh.12&<x>'9"
Written = Callable[[str], str]
FORMS: dict[str, Written] = {
    "as it is": lambda key: key,
    "JSON": lambda key: json.dumps(key)[1:-1],
    "JSON of PHP": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "JSON of .NET": lambda key: key.replace("+", "\\u002B").replace("&", "\\u0026"),
    "all escaped": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
    "JSON in JSON": lambda key: json.dumps(json.dumps(key))[1:-1],
    "JavaScript": lambda key: "".join(f"\\x{ord(c):02X}" for c in key),
    "URL": lambda key: quote(key, safe=""),
    "form": quote_plus,
    "URL twice": lambda key: quote(quote(key, safe=""), safe=""),
    "HTML": html.escape,
    "HTML twice": lambda key: html.escape(html.escape(key)),
    "HTML numbers": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "HTML hex numbers": lambda key: "".join(f"&#X{ord(c):02X};" for c in key),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 of a header": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "base64 of a login": lambda key: base64.urlsafe_b64encode(f"me:{key}:x".encode()).decode(),
    "hex": lambda key: key.encode().hex(),
}


@pytest.mark.parametrize("form", list(FORMS))
def test_a_key_is_found_in_every_encoding(form: str) -> None:
    text = redacted(f'{{"error": "the key {FORMS[form](KEY)} is wrong"}}', [KEY])
    assert REMOVED in text
    assert len(text) < 70
    assert text.startswith('{"error": "the key ')


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60))
@settings(max_examples=60, deadline=None)
@example("00000%00")
@example("abc&amp;def")
@example("0000%00'")
def test_no_encoding_of_any_key_is_left(key: str) -> None:
    for written in FORMS.values():
        assert REMOVED in redacted(f"before {written(key)} after", [key])


def test_other_text_stays_as_it_is() -> None:
    text = '{"results": [{"index": 0, "relevance_score": 0.5}], "note": "50 % \\u00e9 &amp; more"}'
    assert redacted(text, ["another-key-123", ""]) == text
