"""How text becomes terms: what a person who searches for a word, code or name would expect."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rerank_lab.core.languages import LANGUAGES
from rerank_lab.corpora.analysis import Analyzer, fold_marks, stop_list
from rerank_lab.corpora.ascii_words import ascii_words

PLAIN = Analyzer("none")


@pytest.mark.parametrize(
    ("text", "whole", "parts"),
    [
        ("foo_bar", "foo_bar", ["foo", "bar"]),
        ("getUserName()", "getusername", ["get", "user", "name"]),
        ("HTTPServer", "httpserver", ["http", "server"]),
        ("error E-2104.", "e-2104", ["2104"]),
        ("node.js, please", "node.js", ["node", "js"]),
        ("COVID-19", "covid-19", ["covid", "19"]),
        ("learn C++", "c++", []),
        ("F# and C#", "f#", []),
        ("version 1.2.3 is out", "1.2.3", []),
        ("10.25 euros", "10.25", ["10", "25"]),
        ("R&D budget", "r&d", []),
    ],
)
def test_code_like_words_are_found_whole_and_by_their_parts(
    text: str, whole: str, parts: list[str]
) -> None:
    terms = PLAIN.document_terms(text)
    assert whole in terms
    assert set(parts) <= set(terms)


@pytest.mark.parametrize("text", ["PubMed", "DNAs", "mRNA", "iPhone", "GitHub"])
def test_a_name_in_mixed_case_is_found_in_lower_case(text: str) -> None:
    analyzer = Analyzer("english")
    assert analyzer.query_terms(text.lower())[0] in analyzer.document_terms(text)


def test_hyphened_words_are_two_words() -> None:
    assert PLAIN.document_terms("state-of-the-art T-cell") == [
        *("state", "of", "the", "art"),
        *("t", "cell"),
    ]


def test_a_sharp_before_a_number_is_not_part_of_the_word_before_it() -> None:
    assert PLAIN.document_terms("issue #5, see page#5") == ["issue", "5", "see", "page", "5"]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("the user's cats don't", ["user", "cat", "don"]),
        ("the user’s cats", ["user", "cat"]),
        ("running runs", ["run", "run"]),
    ],
)
def test_english_words_are_stemmed_and_apostrophes_dropped(text: str, terms: list[str]) -> None:
    assert Analyzer("english").document_terms(text) == terms


def test_equivalent_unicode_is_the_same_term() -> None:
    assert PLAIN.document_terms("ＡＢＣ ﬁne Straße İstanbul") == [
        *("abc", "fine", "strasse", "istanbul"),
    ]
    assert PLAIN.document_terms("cafe\u0301") == PLAIN.document_terms("café")


def test_turkish_dotted_and_dotless_i_stay_apart() -> None:
    turkish = Analyzer("turkish", stop_words=False)
    assert turkish.document_terms("ISI") == turkish.document_terms("ısı")
    assert turkish.document_terms("İSİM") == turkish.document_terms("isim")
    assert turkish.document_terms("ISI") != turkish.document_terms("isi")


@pytest.mark.parametrize("word", ["हिन्दी", "தமிழ்", "ไทย", "العَرَبِيَّة"])
def test_words_with_vowel_signs_are_not_torn_apart(word: str) -> None:
    terms = PLAIN.document_terms(f"x {word} y")
    assert "".join(terms).startswith("x")
    assert all(len(term) > 1 for term in terms[1:-1])


def test_scripts_without_spaces_become_pairs() -> None:
    assert PLAIN.query_terms("東京都") == ["東京", "京都"]
    assert PLAIN.query_terms("ภาษา") == ["ภา", "าษ", "ษา"]
    assert PLAIN.query_terms("한국어") == ["한국", "국어"]


def test_a_single_han_character_finds_longer_words() -> None:
    assert set(PLAIN.query_terms("猫")) <= set(PLAIN.document_terms("黒猫は寝る"))


def test_scripts_that_touch_are_kept_apart() -> None:
    terms = PLAIN.document_terms("使用node.js框架2.0版")
    assert {"使用", "node.js", "框架", "2.0"} <= set(terms)


@pytest.mark.parametrize("text", ["", "   ", "🙂🙃", "...", "\x00", "— – “”"])
def test_text_without_words_has_no_terms(text: str) -> None:
    assert PLAIN.document_terms(text) == []


def test_stop_words_are_dropped_by_language_only_when_wanted() -> None:
    assert Analyzer("english").query_terms("to be or not to be") == []
    assert Analyzer("german").query_terms("und das ist der") == []
    assert len(Analyzer("english", stop_words=False).query_terms("to be or not to be")) == 6
    assert len(Analyzer("none").query_terms("to be or not to be")) == 6


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_works(language: str) -> None:
    analyzer = Analyzer(language)
    assert analyzer.document_terms("zebra 東京 42") == analyzer.document_terms("Zebra 東京 42")
    assert "the" in stop_list("english")


@given(st.text(max_size=200))
def test_any_text_gives_terms_that_are_not_empty(text: str) -> None:
    for language in ("english", "none"):
        terms = Analyzer(language).document_terms(text)
        assert all(term and len(term) <= 100 for term in terms)


@given(st.text(max_size=100))
def test_a_document_holds_every_term_of_itself_as_a_query(text: str) -> None:
    assert set(PLAIN.query_terms(text)) <= set(PLAIN.document_terms(text))


@pytest.mark.parametrize("language", ["none", "english", "arabic"])
@pytest.mark.parametrize(
    ("written", "searched"),
    [
        ("الدُّرُوسُ العَرَبِيَّةُ", "الدروس العربية"),  # vowel marks
        ("موقع الدورى الإنجليزى", "الدوري الانجليزي"),  # alef maksura, hamza
        ("مدرسة كبيرة", "مدرسه كبيره"),  # teh marbuta
        ("مـــرحبا", "مرحبا"),  # tatweel
        ("کتاب یک", "كتاب يك"),  # Persian kaf and yeh
        ("١٢٣ و ۴۵۶", "123 و 456"),  # digits
        ("תִּקּוּן עוֹלָם", "תקון עולם"),  # points
        ("کتاب\u200cها", "کتابها"),  # written together
        ("کتاب\u200cها", "کتاب ها"),  # written apart
        ("क्\u200dष क्\u200cष", "क्ष क्ष"),  # joiners that only shape letters
        ("cof\u200bfee", "coffee"),
        ("cof\u00adfee", "coffee"),
        ("\ufeffcoffee", "coffee"),
        ("co\u034fffee\u2064", "coffee"),
        ("\u845b\U000e0100\u57ce", "\u845b\u57ce"),  # a variant of a Chinese character
        ("\u2615\ufe0f coffee", "coffee"),
        ("E\u20112104", "E-2104"),  # the hyphen that does not break
        ("п\u02bcять", "п'ять"),
        ("בית\u05beספר", "בית ספר"),
        ("ज़रूरत हँसी", "जरूरत हंसी"),  # nukta, chandrabindu
        ("ܫܠܳܡܳܐ", "ܫܠܡܐ"),
    ],
)
def test_marks_that_writers_leave_out_do_not_matter(
    language: str, written: str, searched: str
) -> None:
    analyzer = Analyzer(language, stop_words=False)
    assert set(analyzer.query_terms(searched)) <= set(analyzer.document_terms(written))
    assert set(analyzer.query_terms(written)) & set(analyzer.document_terms(searched))


def test_stop_lists_are_those_of_their_source() -> None:
    source = pytest.importorskip("bm25s.stopwords")
    names = {"english": "EN"}
    for language in LANGUAGES:
        theirs = getattr(source, f"STOPWORDS_{names.get(language, language.upper())}", ())
        assert stop_list(language) == frozenset(theirs), language


LUCENE_RULES = {
    # ArabicNormalizer: org.apache.lucene.analysis.ar
    "\u0622": "\u0627", "\u0623": "\u0627", "\u0625": "\u0627", "\u0649": "\u064a",
    "\u0629": "\u0647", "\u0640": "", "\u064b": "", "\u064c": "", "\u064d": "", "\u064e": "",
    "\u064f": "", "\u0650": "", "\u0651": "", "\u0652": "",
    # PersianNormalizer: org.apache.lucene.analysis.fa
    "\u06cc": "\u064a", "\u06d2": "\u064a", "\u06a9": "\u0643", "\u06c0": "\u0647",
    "\u06c1": "\u0647", "\u0654": "",
    # HindiNormalizer: org.apache.lucene.analysis.hi
    "\u0901": "\u0902", "\u093c": "", "\u0929": "\u0928", "\u0931": "\u0930",
    "\u0934": "\u0933",
    # ICUFoldingFilter (utr30/DiacriticFolding.txt): Hebrew and Syriac points, Arabic signs
    **dict.fromkeys(map(chr, (
        *range(0x591, 0x5BE), 0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5, 0x5C7, 0xFB1E,
        *range(0x610, 0x61B), 0x640, *range(0x653, 0x660), 0x670, *range(0x6D6, 0x6DD),
        *range(0x6DF, 0x6E5), 0x6E7, 0x6E8, *range(0x6EA, 0x6EE), 0x711, *range(0x730, 0x74B),
        *range(0x898, 0x8A0), *range(0x8C9, 0x8D3), *range(0x8E3, 0x8FF),
    )), ""),
    # utr30/BasicFoldings.txt: hyphens and apostrophes
    "\u05be": "-", "\u058a": "-", "\u2010": "-", "\u2212": "-", "\u2018": "'", "\u201b": "'",
    "\u05f3": "'",
    # NFKC_Casefold, on which it builds: what is default ignorable
    **dict.fromkeys(map(chr, (
        0xAD, 0x34F, 0x61C, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x200B, *range(0x200D, 0x2010),
        *range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10), 0xFEFF, 0xE0100,
    )), ""),
}  # fmt: skip
"""What Lucene's normalizers make of each letter."""


@pytest.mark.parametrize(("letter", "normal"), LUCENE_RULES.items())
def test_arabic_and_persian_letters_fold_as_in_lucene(letter: str, normal: str) -> None:
    written, folded = f"\u0628{letter}\u0628", f"\u0628{normal}\u0628"
    assert PLAIN.document_terms(written) == PLAIN.document_terms(folded)
    assert fold_marks(written) == folded


def test_digits_of_every_script_are_digits() -> None:
    digits = (chr(code) for code in range(0x10000) if chr(code).isdecimal())
    wrong = [d for d in digits if PLAIN.document_terms(f"a{d}") != [f"a{unicodedata.decimal(d)}"]]
    assert not wrong


@pytest.mark.parametrize("language", [name for name in LANGUAGES if stop_list(name)])
def test_every_word_of_every_stop_list_alone_says_why_nothing_is_found(language: str) -> None:
    analyzer = Analyzer(language)
    words = sorted(stop_list(language))
    unsaid = [
        word
        for word in words
        if not analyzer.query_terms(word) and not analyzer.only_stop_words(word)
    ]
    assert not [word for word in unsaid if Analyzer(language, stop_words=False).query_terms(word)]
    assert analyzer.only_stop_words(" ".join(words[:3])) or analyzer.query_terms(
        " ".join(words[:3])
    )


def test_a_query_of_stop_words_is_known_as_one() -> None:
    assert Analyzer("english").only_stop_words("To be, or not to be?")
    assert not Analyzer("english").only_stop_words("to be Hamlet")
    assert not Analyzer("english").only_stop_words(" ?! ")
    assert not Analyzer("none").only_stop_words("to be")


def test_threads_share_an_analyzer() -> None:
    analyzer = Analyzer("english")
    texts = [f"running{i} nations{i % 7} organisations getUserName{i}" for i in range(400)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(analyzer.document_terms, texts))
    assert together == [Analyzer("english").document_terms(text) for text in texts]


@given(st.lists(st.text("aZ9_.-'&+# \n/\x00\x7f", max_size=12), max_size=8))
@example(["a++b", "c++", "c#", "c#d", "a.b.c-d", "a.-b", "'a'", "a+++", "a++#", "", "a#.b", "x'&y"])
def test_words_of_ascii_texts_are_those_of_the_pattern(texts: list[str]) -> None:
    analyzer = Analyzer("none")
    words = ascii_words(texts)
    ends = words.counts.cumsum().tolist()
    flat = [words.distinct[code] for code in words.codes]
    assert len(set(words.distinct)) == len(words.distinct)
    assert [
        flat[end - count : end] for end, count in zip(ends, words.counts.tolist(), strict=True)
    ] == [analyzer.document_words(text) for text in texts]
