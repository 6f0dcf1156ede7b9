"""Keys taken out of texts by value, however a server wrote them: escaped, encoded or mixed."""

from __future__ import annotations

import base64
import html
import re
import urllib.parse
from collections.abc import Callable, Sequence
from functools import lru_cache

REMOVED = "[key removed]"
_SHORTEST_ENCODED = 6
"""Base64 of fewer characters would match ordinary text."""
_SHORTEST_PART = 8
_ROUNDS = 3
_CODE = re.compile(
    r"\\+u([0-9A-Fa-f]{4})|\\+x([0-9A-Fa-f]{2})|(?:\\+u\{|U\+)0{0,6}([0-9A-Fa-f]{2,4})\}?"
)
_OCTAL = re.compile(r"\\+([0-3][0-7]{2})")
_QUOTED = re.compile(r"=([0-9A-F]{2})")
_MARKS = re.compile(r"[\\%&]|=[0-9A-F]{2}|U\+[0-9A-F]{2}")
_MANY_BACKSLASHES = re.compile(r"\\{9,}")
_WIDE = re.compile("[\uff01-\uff5e]")
_AS_NARROW = {code + 0xFEE0: code for code in range(0x21, 0x7F)}
_UNSEEN = ("\u00ad", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2060", "\ufeff")
_JOINT = r"(?:[\s\"'" + "".join(_UNSEEN) + r"]|\\+u(?:00ad|200[b-f]|2060|feff))*"
"""What may stand between two characters: blanks, quotes and marks that nobody sees."""
_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos", "+": "plus", "/": "sol",
          "=": "equals", "_": "lowbar", ".": "period", ":": "colon", "-": "hyphen"}  # fmt: skip


def redacted(text: str, secrets: Sequence[str]) -> str:
    r"""`text` without any of the secrets.

    Every character of a secret may stand as it is, in the other case, as a full-width one, escaped
    for JSON (`\/`, `\u002B`), JavaScript (`\x2B`, `\u{2B}`), C (`\053`), mail (`=2B`) or HTML
    (`&#43;`, `&plus;`), or percent-encoded once or more often, with blanks, quotes or invisible
    marks between. Base64 (of base64, of UTF-16) and base32 of the secret are found wherever it
    begins in the encoded bytes, and so are lists of its bytes, hexadecimal or decimal. So is half
    of it or more.

    Args:
        text: What is to be shown.
        secrets: Keys; "" for none.
    """
    layers: list[str] | None = None
    for secret in secrets:
        if not secret:
            continue
        for form in _forms(secret):
            text = text.replace(form, REMOVED)
        layers = _layers(text) if layers is None else layers
        bare = [_squeezed(form) for form in _plain_forms(secret)]
        if any(form in layer for form in bare for layer in layers):
            text = _pattern(secret).sub(REMOVED, _fewer_backslashes(text))
        if len(secret) >= _SHORTEST_ENCODED:
            text = _byte_lists(secret).sub(REMOVED, text)
        text = _without_parts(text, secret)
    return text


def _layers(text: str) -> list[str]:
    """The text with one layer of escapes resolved after the other: a look for the slow pattern."""
    layers = outermost = [_fewer_backslashes(text)]
    for _ in range(_ROUNDS):
        inner = dict.fromkeys(
            one for layer in outermost if _MARKS.search(layer) for one in _unescaped(layer)
        )
        outermost = [layer for layer in inner if layer not in layers]
        layers = layers + outermost
    return list(dict.fromkeys(map(_squeezed, layers)))


def _fewer_backslashes(text: str) -> str:
    """Each of a thousand in a row would have the patterns look through all that follow."""
    return _MANY_BACKSLASHES.sub(lambda _: 8 * "\\", text)


def _squeezed(text: str) -> str:
    """In one case and width, without what may stand between characters."""
    if not text.isascii():
        for mark in _UNSEEN:
            text = text.replace(mark, "")
        if _WIDE.search(text):
            text = text.translate(_AS_NARROW)
    text = "".join(text.split())
    for mark in "\"'\\":
        text = text.replace(mark, "")
    return text.lower()


def _unescaped(text: str) -> list[str]:
    """One layer of escapes resolved, without backslashes.

    A text for each kind of escape, as a secret may itself hold what looks like another kind.
    """
    coded = _CODE.sub(lambda m: chr(int(m[1] or m[2] or m[3], 16)), text)
    plain = coded.replace("\\", "")
    without_entities = html.unescape(plain)
    others = [_decoded(text, pattern, base) for pattern, base in ((_OCTAL, 8), (_QUOTED, 16))]
    return [plain, without_entities, urllib.parse.unquote(without_entities), *others]


def _decoded(text: str, pattern: re.Pattern[str], base: int) -> str:
    return pattern.sub(lambda match: chr(int(match[1], base)), text)


@lru_cache(maxsize=256)
def _plain_forms(secret: str) -> tuple[str, ...]:
    """The secret itself and in base64: their characters may be escaped."""
    return tuple(dict.fromkeys([secret, *_base64_forms(secret.encode("utf-8", "surrogatepass"))]))


@lru_cache(maxsize=256)
def _forms(secret: str) -> tuple[str, ...]:
    """The secret itself, and its encodings by letters and digits."""
    raw = secret.encode("utf-8", "surrogatepass")
    plain = _plain_forms(secret)
    if len(raw) < _SHORTEST_ENCODED:
        return plain
    wide = secret.encode("utf-16-le", "surrogatepass")
    again = [form for inner in plain[1:] for form in _base64_forms(inner.encode())]
    others = [raw.hex(), raw.hex().upper(), *_base32_forms(raw), *_base64_forms(wide)]
    return tuple(dict.fromkeys([*plain, *others, *again]))


@lru_cache(maxsize=256)
def _pattern(secret: str) -> re.Pattern[str]:
    """Each form, its characters written in any way."""
    forms = (_JOINT.join(map(_any_form, form)) for form in _plain_forms(secret))
    return re.compile("|".join(forms), re.IGNORECASE)


def _any_form(char: str) -> str:
    code = ord(char)
    named = [_NAMED[char]] if char in _NAMED else []
    entities = [rf"#0*{code};?", rf"#x0*{code:x};?", *(rf"{name};" for name in named)]
    percent = "".join(rf"%(?:25)*{byte:02x}" for byte in char.encode("utf-8", "replace"))
    wide = [chr(code + 0xFEE0), rf"\\+u{code + 0xFEE0:04x}"] if "!" <= char <= "~" else []
    forms = [
        rf"\\*{re.escape(char)}",
        rf"\\+(?:u(?:{code:04x}|\{{0*{code:x}\}})|x{code:02x}|{code:03o})",
        rf"U\+0*{code:x}",
        rf"={code:02x}",
        percent,
        rf"&(?:amp;)*(?:{'|'.join(entities)})",
        *wide,
    ]
    return f"(?:{'|'.join(forms)})"


@lru_cache(maxsize=256)
def _byte_lists(secret: str) -> re.Pattern[str]:
    """The bytes of a secret one by one, as hexadecimal or decimal numbers."""
    raw = secret.encode("utf-8", "surrogatepass")
    between = r"[\s:,;._-]{0,2}(?:0[xX]|\\x|x)?"
    digits = (
        "".join(
            f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{byte:02x}"
        )
        for byte in raw
    )
    decimal = r"[,;\s]{1,2}".join(map(str, raw))
    return re.compile(rf"(?:0[xX]|\\x|x)?{between.join(digits)}|(?<!\d){decimal}(?!\d)")


def _without_parts(text: str, secret: str) -> str:
    """Without half of a secret or more: a server may cut what it repeats."""
    shortest = max(_SHORTEST_PART, -(-len(secret) // 2))
    step = shortest // 2
    for start in range(0, len(secret) - step + 1, step):
        block = secret[start : start + step]
        at = text.find(block)
        while at >= 0:
            first, last = _extended(text, secret, at, start, step)
            if last - first >= shortest:
                text = text[:first] + REMOVED + text[last:]
                last = first + len(REMOVED)
            at = text.find(block, max(last, at + step))
    return text


def _extended(text: str, secret: str, at: int, start: int, size: int) -> tuple[int, int]:
    """[first, last) of what `text` shares with the secret around a block that both hold."""
    before = 0
    while before < min(at, start) and text[at - before - 1] == secret[start - before - 1]:
        before += 1
    after = size
    most = min(len(text) - at, len(secret) - start)
    while after < most and text[at + after] == secret[start + after]:
        after += 1
    return at - before, at + after


def _base64_forms(raw: bytes) -> list[str]:
    """The characters that are the same whatever stands before and after the bytes."""
    cores = _cores(raw, base64.b64encode, 3, 6)
    return [form for core in cores for form in (core, core.replace("+", "-").replace("/", "_"))]


def _base32_forms(raw: bytes) -> list[str]:
    return [form for core in _cores(raw, base64.b32encode, 5, 5) for form in (core, core.lower())]


def _cores(raw: bytes, encode: Callable[[bytes], bytes], group: int, bits: int) -> list[str]:
    """What an encoding by groups of bytes makes of them, at each place of a group.

    Args:
        raw: The bytes.
        encode: The encoding.
        group: Bytes of a group.
        bits: Of a character.
    """
    cores = []
    for before in range(group):
        encoded = encode(b"\0" * before + raw).decode().rstrip("=")
        core = encoded[-(-before * 8 // bits) : (before + len(raw)) * 8 // bits]
        if len(core) >= _SHORTEST_ENCODED:
            cores.append(core)
    return cores
