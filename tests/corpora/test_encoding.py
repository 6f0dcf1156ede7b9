"""Which encoding a file is in, what is guessed and said, and what is refused."""

from __future__ import annotations

import codecs

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog, Severity
from rerank_lab.corpora.source import Source, clean_text, detect_decoding, read_text

GERMAN = (
    "Die Tür ließ sich nur schwer öffnen, weil der Schlüssel verbogen war. Über den Dächern "
    "der Stadt zogen große Vögel nach Süden, und überall roch es nach gerösteten Nüssen. "
) * 4


@pytest.mark.parametrize(
    "data",
    [
        GERMAN.encode(),
        codecs.BOM_UTF8 + GERMAN.encode(),
        GERMAN.encode("utf-16"),
        codecs.BOM_UTF16_BE + GERMAN.encode("utf-16-be"),
        GERMAN.encode("utf-16-le"),
        GERMAN.encode("utf-16-be"),
        GERMAN.encode("utf-32"),
    ],
)
def test_unicode_encodings_are_read_without_a_word(data: bytes) -> None:
    log = ProblemLog()
    assert read_text(Source("a.txt", data=data), log) == GERMAN
    assert not log.problems


def test_a_legacy_encoding_is_guessed_and_the_guess_is_told() -> None:
    log = ProblemLog()
    assert read_text(Source("a.txt", data=GERMAN.encode("cp1252")), log) == GERMAN
    (note,) = log.problems
    assert note.severity is Severity.INFO
    assert "confidence" in note.message
    assert note.file == "a.txt"


def test_russian_in_its_old_encoding() -> None:
    text = "Широкая электрификация южных губерний даст мощный толчок подъёму сельского хозяйства. "
    assert read_text(Source("a.txt", data=(text * 5).encode("cp1251")), ProblemLog()) == text * 5


def test_a_named_encoding_is_taken_at_its_word() -> None:
    log = ProblemLog()
    assert read_text(Source("a.txt", data="žluťoučký kůň".encode("cp1250")), log, "cp1250") == (
        "žluťoučký kůň"
    )
    assert not log.problems
    with pytest.raises(InvalidInput, match="no text encoding called"):
        detect_decoding(Source("a.txt", data=b"a"), log, "klingon")
    with pytest.raises(InvalidInput, match="not a text encoding"):
        detect_decoding(Source("a.txt", data=b"a"), log, "zip")


def test_utf8_with_a_few_broken_bytes_stays_utf8_and_is_reported() -> None:
    log = ProblemLog()
    text = read_text(Source("a.txt", data=GERMAN.encode() + b"\xff"), log)
    assert text == GERMAN + "\ufffd"
    assert log.problems[0].severity is Severity.WARNING
    assert "1 bytes are not valid UTF-8" in log.problems[0].message


def test_a_broken_end_of_utf8_is_noticed() -> None:
    log = ProblemLog()
    assert read_text(Source("a.txt", data=GERMAN.encode() + "ü".encode()[:1]), log).startswith(
        GERMAN
    )
    assert log.problems


def test_nul_bytes_are_refused() -> None:
    data = b"text\x00\x00\x01\x02\x03binary" + bytes(range(256))
    with pytest.raises(InvalidInput, match="NUL bytes"):
        detect_decoding(Source("a.txt", data=data), ProblemLog())


def test_a_mark_far_into_an_ascii_file_still_decides_the_guess() -> None:
    data = b"plain words here. " * 40_000 + GERMAN.encode("cp1252")
    assert read_text(Source("a.txt", data=data), ProblemLog()).endswith(GERMAN)


def test_clean_text_takes_out_what_no_tokenizer_takes() -> None:
    assert clean_text("a\x00b") == "a b"
    assert clean_text("naïve 漢字 😀") == "naïve 漢字 😀"
    clean_text("\ud83d").encode("utf-8")
