"""Damage to bytes: what people, programs and disks do to files, and what an attacker tries."""

from __future__ import annotations

import random
from collections.abc import Sequence

PIECES = (
    b"\x00",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xff",
    b"\xc3",
    b"\r\n",
    b"\n",
    b"\r",
    b"\t",
    b" ",
    b'"',
    b"'",
    b",",
    b";",
    b":",
    b"#",
    b"@",
    b"\\",
    b"/",
    b"%",
    b"%00",
    b"..",
    b"[",
    b"]",
    b"{",
    b"}",
    b"(",
    b")",
    b"[[[[[[[[",
    b"{}",
    b"[]",
    b'""',
    b"null",
    b"true",
    b"NaN",
    b"Infinity",
    b"-1",
    b"0",
    b"0.5",
    b"1e999",
    b"9" * 25,
    b"9" * 400,
    b"9" * 5000,
    b"\\ud800",
    b"\\u0000",
    b"<",
    b">",
    b"&",
    b"<!DOCTYPE x [<!ENTITY e 'f'>]>",
    b"&e;",
    b"<![CDATA[",
    b"-->",
    "ä".encode(),
    "日本".encode(),
    "\u200b".encode(),
    "\u202e".encode(),
    "\x85".encode(),
    "\u2028".encode(),
    b"=1+1",
    b"None",
    b"{{",
    b"{query}",
    b"!!python/object",
    b"&a",
    b"*a",
)
MAX_BYTES = 20_000


def mutated(chance: random.Random, pool: Sequence[bytes], pieces: Sequence[bytes] = ()) -> bytes:
    """One of the pool with one to six changes, at most `MAX_BYTES` long.

    Args:
        chance: Where all choices come from.
        pool: Inputs to begin with.
        pieces: What is put in more often than the pieces for every target.
    """
    data = bytearray(chance.choice(pool))
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4, 6))):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((1, 1, 2, 4, 9, 40)))
        match chance.randrange(8):
            case 0 | 1:
                data[start:start] = chance.choice(PIECES)
            case 2 if pieces:
                data[start:start] = chance.choice(pieces)
            case 3 if pieces:
                data[start:end] = chance.choice(pieces)
            case 4:
                data[start:end] = b""
            case 5:
                data[start:start] = data[start:end] * chance.choice((1, 2, 50))
            case 6 if data:
                data[start % len(data)] ^= 1 << chance.randrange(8)
            case _:
                other = chance.choice(pool)
                at = chance.randrange(len(other) + 1)
                data[start:end] = other[at : at + chance.choice((3, 20, 200))]
    return bytes(data[:MAX_BYTES])
