"""Keys are taken out of texts however a server wrote them."""

from __future__ import annotations

import base64
import html
import json
import time
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
    "base64 of base64": lambda key: base64.b64encode(base64.b64encode(key.encode())).decode(),
    "base64 of UTF-16": lambda key: base64.b64encode(key.encode("utf-16-le")).decode(),
    "base32": lambda key: base64.b32encode(key.encode()).decode(),
    "bytes with colons": lambda key: key.encode().hex(":"),
    "bytes of C": lambda key: " ".join(f"0x{byte:02X}" for byte in key.encode()),
    "decimal bytes": lambda key: ", ".join(map(str, key.encode())),
    "mail": lambda key: "".join(f"={byte:02X}" for byte in key.encode()),
    "octal": lambda key: "".join(f"\\{byte:03o}" for byte in key.encode()),
    "code points": lambda key: "".join(f"\\u{{{ord(c):x}}}" for c in key),
    "code points with U": lambda key: " ".join(f"U+{ord(c):04X}" for c in key),
    "some escaped": lambda key: "".join(
        f"\\u{ord(c):04X}" if at % 2 else c for at, c in enumerate(key)
    ),
    "full width": lambda key: "".join(chr(ord(c) + 0xFEE0) for c in key),
    "invisible marks": "\u200b".join,
    "blanks": " ".join,
    "two strings": lambda key: f'{key[:5]}" "{key[5:]}',
    "capitals": str.upper,
}


@pytest.mark.parametrize("form", list(FORMS))
def test_a_key_is_found_in_every_encoding(form: str) -> None:
    text = redacted(f'{{"error": "the key {FORMS[form](KEY)} is wrong"}}', [KEY])
    assert REMOVED in text
    assert len(text) < 70
    assert text.startswith('{"error": "the key ')


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60))
@settings(max_examples=20, deadline=None)
@example("00000%00")
@example("abc&amp;def")
@example("0000%00'")
def test_no_encoding_of_any_key_is_left(key: str) -> None:
    for written in FORMS.values():
        assert REMOVED in redacted(f"before {written(key)} after", [key])


def test_other_text_stays_as_it_is() -> None:
    text = '{"results": [{"index": 0, "relevance_score": 0.5}], "note": "50 % \\u00e9 &amp; more"}'
    assert redacted(text, ["another-key-123", ""]) == text


@pytest.mark.parametrize("part", [KEY[:12], KEY[4:], KEY[6:-3]])
def test_half_of_a_key_is_too_much(part: str) -> None:
    assert redacted(f"no such key: {part}…, {part}", [KEY]) == (
        f"no such key: {REMOVED}…, {REMOVED}"
    )


def test_a_masked_key_stays_masked_as_the_provider_wrote_it() -> None:
    text = "Incorrect API key provided: sk-ab***'9. Find yours at https://example.com/keys."
    assert redacted(text, [KEY]) == text


@pytest.mark.parametrize("piece", ["\\", "%25", "&amp;", "\\u005c", "00 ", "\u200b", "=3D", "  "])
def test_a_long_reply_of_escapes_takes_no_time(piece: str) -> None:
    start = time.process_time()
    redacted(piece * (300_000 // len(piece)), [KEY])
    assert time.process_time() - start < 2.0
