from __future__ import annotations

from random import Random

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.languages import language_name
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.robustness import queries
from rerank_lab.evaluation.robustness.documents import (
    DOCUMENT_PERTURBATIONS,
    INJECTION,
    buried,
    halved,
    injected,
    padded,
    shuffled,
    with_copies,
    with_query_words,
)
from rerank_lab.evaluation.robustness.negation import RULES, negation_languages
from rerank_lab.evaluation.robustness.paraphrase import read_paraphrase
from rerank_lab.evaluation.robustness.perturbations import QueryPerturbation, RerankingCase
from rerank_lab.evaluation.robustness.registry import perturbations
from rerank_lab.remote.responses import Completion

QUESTION = "how do I reset the password of my phone"


def case(*, filler: str = "Trains leave at noon.") -> RerankingCase:
    documents = tuple(Document(f"d{n}", f"text {n} one two three four five six") for n in range(4))
    order = ("d2", "d0", "d3", "d1")
    return RerankingCase(Query("q", QUESTION), documents, order, {"d0": 1, "d1": 2}, filler)


@pytest.mark.parametrize("one", queries.QUERY_PERTURBATIONS)
def test_a_seed_gives_the_same_other_text(one: QueryPerturbation) -> None:
    first = one.rewrite(QUESTION, "en", Random(3))
    assert first == one.rewrite(QUESTION, "en", Random(3)) != QUESTION


def test_typing_errors_leave_short_words_and_first_letters_alone() -> None:
    for seed in range(30):
        typed = queries.with_typos(QUESTION, "en", Random(seed)).split()
        assert [word[0] for word in typed] == [word[0] for word in QUESTION.split()]
        assert all(a == b for a, b in zip(typed, QUESTION.split(), strict=True) if len(b) < 4)
    assert queries.with_typos("東京 の 天気", "ja", Random(0)) == "東京 の 天気"


def test_capitals_say_nothing_of_scripts_without_them() -> None:
    assert queries.in_other_case("Reset it", "en", Random(0)) == "RESET IT"
    assert queries.in_other_case("SOS", "en", Random(0)) == "sos"
    assert queries.in_other_case("天気", "ja", Random(0)) == "天気"


def test_function_words_go_and_negations_stay() -> None:
    text = "the phones of people who are not in the office"
    assert "not" in queries.without_function_words(text, "en", Random(0)).split()
    assert "the" not in queries.without_function_words(text, "en", Random(0)).split()
    assert queries.without_function_words("is it the", "en", Random(0)) == "is it the"
    assert "die" not in queries.without_function_words("die Uhr steht", "de", Random(0)).split()


@pytest.mark.parametrize(
    ("text", "opposite"),
    [
        ("is tea healthy?", "is not tea healthy?"),
        ("how do I log in", "how do I not log in"),
        ("can't log in", "can log in"),
        ("it won't start and doesn't ring", "it will start and does ring"),
        ("I cannot log in", "I can log in"),
        ("flights without a stop", "flights a stop"),
        ("password iphone", "password but not iphone"),
    ],
)
def test_negation_asks_for_the_opposite(text: str, opposite: str) -> None:
    assert queries.negated(text, "en", Random(0)) == opposite
    assert queries.negated(text, "ja", Random(0)) == text


@pytest.mark.parametrize(
    ("language", "text", "opposite"),
    [
        ("de", "Wie kann ich mein Passwort ändern?", "Wie kann ich mein Passwort nicht ändern?"),
        ("de", "Fahrkarte ohne Abo", "Fahrkarte mit Abo"),
        ("de", "kein Geld zurück", "ein Geld zurück"),
        ("de", "Passwort Handy", "Passwort aber nicht Handy"),
        ("fr", "je ne peux pas payer", "je peux payer"),
        ("fr", "peut-on payer en ligne ?", "ne peut-on pas payer en ligne ?"),
        ("fr", "billet sans abonnement", "billet avec abonnement"),
        ("es", "¿puedo cambiar mi billete?", "¿no puedo cambiar mi billete?"),
        ("es", "no puedo pagar", "puedo pagar"),
        ("it", "come posso pagare", "come non posso pagare"),
        ("it", "biglietto scaduto", "biglietto ma non scaduto"),
        ("pt", "posso pagar com cartão", "não posso pagar com cartão"),
        ("nl", "kan ik online betalen", "kan ik online niet betalen"),
        ("nl", "geen geld terug", "een geld terug"),
    ],
)
def test_negation_knows_the_languages_it_names(language: str, text: str, opposite: str) -> None:
    assert queries.negated(text, language, Random(0)) == opposite
    assert language_name(language) in negation_languages()


def test_every_query_of_the_sample_in_a_language_with_rules_is_turned_around() -> None:
    for query in load_corpus("multilingual-faq").queries:
        language = str(query.meta["lang"])
        turned = queries.negated(query.text, language, Random(0))
        assert (turned != query.text) == (language in RULES), (language, query.text, turned)


def test_polite_words_come_in_the_language_of_the_query() -> None:
    assert queries.politely("Fahrrad", "de", Random(0)).endswith("Fahrrad. Vielen Dank.")
    assert queries.politely("自転車", "ja", Random(0)) == "自転車"


def test_halved_documents_keep_their_beginning() -> None:
    altered = halved(case(), Random(0))
    assert altered is not None
    assert altered.documents[1].text == "text 1 one two"
    short = RerankingCase(Query("q", "x"), (Document("d", "too short"),), ("d",), {}, "")
    assert halved(short, Random(0)) is None


def test_copies_come_last_and_name_their_originals() -> None:
    altered = with_copies(case(), Random(0))
    assert altered is not None
    assert [one.id for one in altered.documents[4:]] == ["d0-copy", "d1-copy", "d2-copy"]
    assert altered.copies["d1-copy"] == "d1"
    assert altered.documents[5].text == altered.documents[1].text


def test_a_shuffle_keeps_every_candidate() -> None:
    altered = shuffled(case(), Random(1))
    assert altered is not None
    assert altered.documents != case().candidates
    assert sorted(one.id for one in altered.documents) == ["d0", "d1", "d2", "d3"]


def test_a_wrong_document_asks_to_be_first() -> None:
    altered = injected(case(), Random(0))
    assert altered is not None
    assert altered.target == "d3"  # d1 stands lower, and is right
    assert [one.id for one in altered.documents if INJECTION in one.text] == ["d3"]
    words = with_query_words(case(), Random(0))
    assert words is not None
    assert words.documents[3].text.startswith(QUESTION)


def test_a_right_document_gets_longer_in_front_or_behind() -> None:
    behind, before = padded(case(), Random(0)), buried(case(), Random(0))
    assert behind is not None
    assert before is not None
    assert behind.target == before.target == "d0"
    assert behind.documents[0].text.endswith("Trains leave at noon.")
    assert before.documents[0].text.startswith("Trains leave at noon.")
    assert padded(case(filler=""), Random(0)) is None


def test_nothing_to_change_is_said() -> None:
    alone = RerankingCase(Query("q", "x"), (Document("d", "short"),), ("d",), {"d": 1}, "")
    assert [one.name for one in DOCUMENT_PERTURBATIONS if one.alter(alone, Random(0))] == []


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ('{"query": "a new  key"}', "a new key"),
        ("a new key", None),
        ('{"query": null}', None),
        ('{"query": " "}', None),
        ('{"query": "a", "why": "b"}', None),
    ],
)
def test_a_paraphrase_has_the_form_that_was_asked_for(text: str, query: str | None) -> None:
    assert read_paraphrase(Completion(text, False)) == query
    assert read_paraphrase(Completion(text, True)) is None


def test_names_are_checked() -> None:
    assert "paraphrase" not in [one.name for one in perturbations()]
    assert "paraphrase" in [one.name for one in perturbations(with_model=True)]
    with pytest.raises(InvalidInput, match="needs a language model"):
        perturbations(["paraphrase"])
    assert [one.name for one in perturbations(["injected", "typos"])] == ["typos", "injected"]
    with pytest.raises(InvalidInput, match="typo"):
        perturbations(["typo"])
