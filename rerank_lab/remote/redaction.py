"""Keys taken out of texts by value, however a server wrote them: escaped, encoded or mixed."""

from __future__ import annotations

import base64
import html
import re
import urllib.parse
from collections.abc import Sequence
from functools import lru_cache

REMOVED = "[key removed]"
_SHORTEST_ENCODED = 6
"""Base64 of fewer characters would match ordinary text."""
_ROUNDS = 3
_CODE = re.compile(r"\\+(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos", "+": "plus", "/": "sol",
          "=": "equals", "_": "lowbar", ".": "period", ":": "colon", "-": "hyphen"}  # fmt: skip


def redacted(text: str, secrets: Sequence[str]) -> str:
    r"""`text` without any of the secrets.

    Every character of a secret may stand as it is, escaped for JSON (`\/`, `\u002B`), JavaScript
    (`\x2B`) or HTML (`&#43;`, `&plus;`), or percent-encoded once or more often. Base64 of the
    secret is found wherever it begins in the encoded bytes, and so is its hexadecimal form.
    """
    layers = outermost = [text]
    for _ in range(_ROUNDS):
        escaped = [layer for layer in outermost if any(mark in layer for mark in "\\%&")]
        inner = dict.fromkeys(one for layer in escaped for one in _unescaped(layer))
        outermost = [layer for layer in inner if layer not in layers]
        layers = layers + outermost
    for secret in secrets:
        if not secret:
            continue
        for form in _forms(secret):
            text = text.replace(form, REMOVED)
        bare = [form.replace("\\", "") for form in _forms(secret)]
        if any(form in layer for form in bare for layer in layers[1:]):
            text = _pattern(secret).sub(REMOVED, text)
    return text


def _unescaped(text: str) -> list[str]:
    """One layer of escapes resolved, without backslashes: a look before the slow pattern.

    A text for each kind of escape, as a secret may itself hold what looks like another kind.
    """
    plain = _CODE.sub(lambda m: chr(int(m[1] or m[2], 16)), text).replace("\\", "")
    without_entities = html.unescape(plain)
    return [plain, without_entities, urllib.parse.unquote(without_entities)]


@lru_cache(maxsize=256)
def _forms(secret: str) -> tuple[str, ...]:
    """The secret itself, in base64 and in hexadecimal digits."""
    raw = secret.encode("utf-8", "surrogatepass")
    digits = [raw.hex(), raw.hex().upper()] if len(raw) >= _SHORTEST_ENCODED else []
    return tuple(dict.fromkeys([secret, *_base64_forms(raw), *digits]))


@lru_cache(maxsize=256)
def _pattern(secret: str) -> re.Pattern[str]:
    """Each form, its characters written in any way."""
    return re.compile("|".join("".join(map(_any_form, form)) for form in _forms(secret)))


def _any_form(char: str) -> str:
    code = ord(char)
    named = [_NAMED[char]] if char in _NAMED else []
    entities = [rf"#0*{code};?", rf"#[xX]0*(?i:{code:x});?", *(rf"{name};" for name in named)]
    percent = "".join(rf"%(?:25)*(?i:{byte:02x})" for byte in char.encode("utf-8", "replace"))
    forms = [
        rf"\\*{re.escape(char)}",
        rf"\\+u(?i:{code:04x})",
        rf"\\+x(?i:{code:02x})",
        percent,
        *(rf"&(?:amp;)*{entity}" for entity in entities),
    ]
    return f"(?:{'|'.join(forms)})"


def _base64_forms(raw: bytes) -> list[str]:
    """The characters that are the same whatever stands before and after the secret."""
    forms = []
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        first = -(-before * 8 // 6)
        last = (before + len(raw)) * 8 // 6
        core = encoded[first:last]
        if len(core) >= _SHORTEST_ENCODED:
            forms += [core, core.replace("+", "-").replace("/", "_")]
    return list(dict.fromkeys(forms))
