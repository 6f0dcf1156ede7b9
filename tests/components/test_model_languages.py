"""A model that does not know the language of corpus or query is said so."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.components.model_languages import language_warnings
from rerank_lab.core.context import Context
from rerank_lab.core.spec import parse
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.corpora.languages import query_languages
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.reranking import Stages
from rerank_lab.services.language_notes import language_notes


@pytest.mark.parametrize(
    ("model", "languages", "count"),
    [
        ("ms-marco-minilm-l12", {"ja": 0.96, "en": 0.04}, 1),
        ("ms-marco-minilm-l12", {"en": 0.9, "de": 0.1}, 0),
        ("ms-marco-minilm-l12", {"und": 1.0}, 0),
        ("ms-marco-minilm-l12", {}, 0),
        ("./a/folder", {"ja": 1.0}, 0),
    ],
)
def test_only_a_model_of_known_other_languages_is_warned_of(
    model: str, languages: dict[str, float], count: int
) -> None:
    assert len(language_warnings(model, languages, "the corpus")) == count


def test_a_pipeline_warns_of_the_corpus_and_of_the_query() -> None:
    documents = (Document("a", "東京は日本の首都です"), Document("b", "猫は魚が好きです"))
    corpus = Corpus("ja", documents)
    warnings = Pipeline("bm25 >> ms-marco-minilm-l12").run("東京の首都", corpus).trace.warnings
    assert any("the corpus is mostly in Japanese (guessed)" in text for text in warnings)
    assert any("the query is mostly in Japanese (guessed)" in text for text in warnings)
    assert not Pipeline("bm25").run("東京の首都", corpus, Context()).trace.warnings


def test_documents_that_are_handed_over_are_no_corpus() -> None:
    texts = ["東京は日本の首都です", "猫は魚が好きです"]
    warnings = Stages("ms-marco-minilm-l12").rerank("東京の首都", texts).trace.warnings
    assert any("the text of the documents is mostly in Japanese" in text for text in warnings)
    assert not any("the corpus" in text for text in warnings)


QUERIES = {
    "de": ["Wie setze ich mein Passwort zurück?", "Was ist die Ursache des Nordlichts?"],
    "fr": ["Comment réinitialiser mon mot de passe ?", "Quelle est la cause des aurores boréales"],
    "es": ["¿Cómo restablezco mi contraseña?", "cuál es la causa de las auroras boreales"],
    "it": ["Come reimposto la mia password?", "Qual è la causa dell'aurora boreale"],
    "pt": ["Como redefino a minha senha?", "Qual é a causa da aurora boreal"],
    "nl": ["Hoe stel ik mijn wachtwoord opnieuw in?", "Wat is de oorzaak van het noorderlicht"],
    "pl": ["Jak zresetować hasło?", "Co powoduje zorzę polarną"],
    "tr": ["Şifremi nasıl sıfırlarım?", "Kuzey ışıklarına ne sebep olur"],
    "ru": ["Как сбросить пароль?", "Двигатель сильно шумит на холоде"],
    "ja": ["パスワードをリセットするには?", "オーロラの原因は何ですか"],
    "ar": ["كيف أعيد تعيين كلمة المرور؟", "ما سبب الشفق القطبي"],
    "zh": ["如何重置密码?", "北极光是什么原因造成的"],
}
ENGLISH = [
    "How do I reset my password?", "printer out of paper", "forgot password iphone app",
    "why is summer hotter than winter", "who can read my password if I forgot it", "la la land",
    "cheap flights to Rome in May", "What did Beyoncé sing?", "HTTP 404", "a la carte menu", "",
]  # fmt: skip


@pytest.mark.parametrize("code", QUERIES)
def test_a_query_in_another_language_is_noticed(code: str) -> None:
    for text in QUERIES[code]:
        assert language_warnings("ms-marco-minilm-l12", query_languages(text), "the query"), text


@pytest.mark.parametrize("text", ENGLISH)
def test_an_english_query_is_not_taken_for_another_language(text: str) -> None:
    assert not language_warnings("ms-marco-minilm-l12", query_languages(text), "the query")


def test_a_plain_file_has_its_language_guessed(tmp_path: Path) -> None:
    for code, text in (("de", "Der Drucker hat kein Papier mehr und die Lampe ist aus."),
                       ("en", "The printer is out of paper and the light is off."),
                       ("pl", "W drukarce skończył się papier, a lampka nie świeci.")):  # fmt: skip
        (tmp_path / f"{code}.txt").write_text(f"{text}\n\n" * 5, "utf-8")
        assert next(iter(load_corpus(tmp_path / f"{code}.txt").languages)) == code


@pytest.mark.parametrize("languages", [{"ja": 0.5, "en": 0.5}, ["ja", "en"], ("ja", "en")])
def test_what_is_told_of_languages_goes_before_a_guess(languages: object) -> None:
    corpus = Corpus("c", (Document("a", "English text"),), meta={"languages": languages})
    assert corpus.languages == {"ja": 0.5, "en": 0.5}


def test_the_command_line_says_it_before_the_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.txt").write_text("東京は日本の首都です\n\n猫は魚が好きです\n", "utf-8")
    (tmp_path / "q.tsv").write_text("1\t日本の首都\n", "utf-8")
    (tmp_path / "qrels.txt").write_text("1 0 c.txt 1\n", "utf-8")
    spec = "bm25 >> ms-marco-minilm-l12"
    corpus, note = str(tmp_path / "c.txt"), "the corpus is mostly in Japanese (guessed)"
    assert main(["rank", corpus, "日本の首都", "-p", spec]) == 0
    printed = capsys.readouterr().out
    assert 0 < printed.index(note) < printed.index("東京は")
    files = ["--queries", str(tmp_path / "q.tsv"), "--qrels", str(tmp_path / "qrels.txt")]
    assert main(["evaluate", corpus, *files, "-p", spec]) == 0
    assert note in capsys.readouterr().err


def test_what_somebody_told_of_a_corpus_is_not_called_a_guess() -> None:
    documents = (Document("a", "東京は日本の首都です"),)
    spec = Pipeline("bm25 >> ms-marco-minilm-l12").spec
    told = Corpus("ja", documents, meta={"languages": ["ja"]})
    (note,) = language_notes([spec], told, ())
    assert "the corpus is mostly in Japanese:" in note
    (note,) = language_notes([spec], Corpus("ja", documents), ())
    assert "the corpus is mostly in Japanese (guessed):" in note


@pytest.mark.parametrize(
    "text", ["best pizza \U0001f355", "naïve bayes classifier", "coffee \ufffd", "ﬁne dining"]
)
def test_a_sign_or_a_loan_word_makes_no_query_foreign(text: str) -> None:
    assert not language_warnings("ms-marco-minilm-l12", query_languages(text), "the query")


def test_a_few_words_of_ascii_make_no_corpus_foreign() -> None:
    texts = ("nul coffee", "whole emoji \U0001f600 coffee", "bad half an emoji here, coffee")
    documents = tuple(Document(f"d{n}", text) for n, text in enumerate(texts))
    assert (
        language_notes(
            [parse("bm25 >> ms-marco-minilm-l12")],
            Corpus("odd", documents),
            [Query("1", "coffee \ufffd")],
        )
        == ()
    )


def test_queries_are_in_the_plural() -> None:
    (note,) = language_warnings("ms-marco-minilm-l12", {"ja": 1.0}, "the queries")
    assert "the queries are mostly in Japanese" in note
