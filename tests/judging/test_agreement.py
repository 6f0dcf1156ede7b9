"""Coefficients against published worked examples, and what a lead must be told instead of NaN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from rerank_lab.core.errors import InvalidInput
from rerank_lab.judging import agreement as agreements
from rerank_lab.judging.agreement import AgreementSettings, JudgeAgreement, agreement

Ratings = dict[str, dict[tuple[str, str], int | None]]
X = None


def one_query_each(**judges: Sequence[int | None]) -> Ratings:
    """Each judge's grades in a row; a unit is a document of a query of its own."""
    return {
        judge: {(f"q{n}", "d"): grade for n, grade in enumerate(grades)}
        for judge, grades in judges.items()
    }


def value(result: JudgeAgreement, name: str) -> float:
    found = result.measures[name].value
    assert found is not None
    return found


def test_krippendorff_of_his_own_worked_example() -> None:
    """Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), examples C and D.

    Four observers, twelve units, missing data: alpha is .743 nominal, .815 ordinal, .849 interval.
    """
    ratings = one_query_each(
        a=[1, 2, 3, 3, 2, 1, 4, 1, 2, X, X, X],
        b=[1, 2, 3, 3, 2, 2, 4, 1, 2, 5, X, 3],
        c=[X, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, X],
        d=[1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, X],
    )
    result = agreement(ratings, AgreementSettings(grades=(1, 2, 3, 4, 5)))

    assert value(result, "krippendorff_alpha_nominal") == pytest.approx(0.743, abs=0.0005)
    assert value(result, "krippendorff_alpha") == pytest.approx(0.815, abs=0.0005)
    assert value(result, "krippendorff_alpha_interval") == pytest.approx(0.849, abs=0.0005)
    assert result.pairs == 11
    assert result.cannot_tell == {"a": 3, "b": 1, "c": 2, "d": 1}


def test_fleiss_of_his_own_worked_example() -> None:
    """Fleiss (1971), Table 1: 30 patients, 6 psychiatrists, 5 diagnoses: kappa is .430."""
    rows = [
        "444444", "222555", "233335", "555555", "222444", "113333", "333355", "113334", "114444",
        "555555", "144444", "124444", "222333", "144444", "224445", "333335", "111455", "111112",
        "224444", "133555", "555555", "244444", "224555", "114444", "144445", "222224", "111155",
        "224444", "133333", "555555",
    ]  # fmt: skip
    ratings = one_query_each(**{f"j{n}": [int(row[n]) for row in rows] for n in range(6)})
    result = agreement(ratings, AgreementSettings(grades=(1, 2, 3, 4, 5)))

    assert value(result, "fleiss_kappa") == pytest.approx(0.430, abs=0.0005)


def test_cohen_of_a_textbook_table() -> None:
    """Fifty grant proposals, two readers, yes or no: 20, 5 / 10, 15. JudgeAgreement .70, kappa .40.

    The worked example of Wikipedia's article "Cohen's kappa" (simple example).
    """
    ratings = one_query_each(a=[1] * 25 + [0] * 25, b=[1] * 20 + [0] * 5 + [1] * 10 + [0] * 15)
    result = agreement(ratings, AgreementSettings(grades=(0, 1)))

    assert value(result, "cohen_kappa") == pytest.approx(0.40)
    assert value(result, "observed_agreement") == pytest.approx(0.70)
    assert result.between[0].confusion == ((15, 10), (5, 20))
    assert result.between[0].bias == pytest.approx(0.1)


def random_ratings(judges: int, seed: int = 0) -> Ratings:
    """Judges who see a common truth badly, over 30 queries of 4 documents."""
    generator = np.random.default_rng(seed)
    pairs = [(f"q{q}", f"d{d}") for q in range(30) for d in range(4)]
    truth = generator.integers(0, 4, len(pairs))
    return {
        f"j{number}": {
            pair: int(np.clip(grade + generator.integers(-1, 2), 0, 3))
            for pair, grade in zip(pairs, truth, strict=True)
        }
        for number in range(judges)
    }


def test_the_libraries_and_the_resampled_formulas_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """With each query drawn once, a resample is the data itself and must give the same value."""

    def itself(pairs: object, parts: np.ndarray, statistic: object, settings: object) -> object:
        same = float(statistic(parts.sum(axis=0)[None])[0])  # type: ignore[operator]
        return same, same

    monkeypatch.setattr(agreements, "_interval", itself)
    for judges in (2, 4):
        ratings = random_ratings(judges)
        if judges == 4:
            ratings["j3"] = dict(list(ratings["j3"].items())[:50])
        result = agreement(ratings)
        checked = {**result.measures, **result.between[0].measures}
        for name, coefficient in checked.items():
            if coefficient.value is not None:
                assert coefficient.low == pytest.approx(coefficient.value), name
        assert sum(c.value is not None for c in checked.values()) == 8
    x, y = (list(ratings[judge].values()) for judge in ("j0", "j1"))
    expected = cohen_kappa_score(x, y, weights="quadratic")
    quadratic = agreement(ratings).between[0].measures["cohen_kappa_quadratic"]
    assert quadratic.value == pytest.approx(expected)


def test_intervals_cover_what_many_more_queries_would_show() -> None:
    many = agreement(random_ratings(2, seed=99)).measures["cohen_kappa"].value
    assert many is not None
    covered, few = 0, AgreementSettings(resamples=300)
    for seed in range(30):
        kappa = agreement(random_ratings(2, seed=seed), few).measures["cohen_kappa"]
        assert kappa.low is not None
        assert kappa.high is not None
        assert kappa.value is not None
        assert kappa.low < kappa.value < kappa.high
        covered += kappa.low - 0.02 <= many <= kappa.high + 0.02
    assert covered >= 26


def test_whole_queries_are_drawn_since_their_grades_depend_on_each_other() -> None:
    """In each query both judges agree on everything or on nothing: there are 12 facts, not 240."""
    ratings: Ratings = {"a": {}, "b": {}}
    for q in range(12):
        for d in range(20):
            ratings["a"][f"q{q}", f"d{d}"] = d % 2
            ratings["b"][f"q{q}", f"d{d}"] = d % 2 if q % 3 else 1 - d % 2
    by_query = agreement(ratings).measures["cohen_kappa"]
    by_pair = agreement(ratings, AgreementSettings(over="pair")).measures["cohen_kappa"]

    def width(one: agreements.Coefficient) -> float:
        assert one.low is not None
        assert one.high is not None
        return one.high - one.low

    assert by_query.value == by_pair.value
    assert width(by_query) > 3 * width(by_pair)


def test_what_is_undefined_says_why_and_is_never_nan() -> None:
    alone = agreement(one_query_each(ann=[1, 2]))
    apart = agreement({"ann": {("q1", "d"): 1}, "bob": {("q2", "d"): 1}})
    same = agreement(one_query_each(ann=[1, 1], bob=[1, 1]))
    three = agreement(one_query_each(ann=[1, 0, X], bob=[1, 1, 2], cem=[X, X, 2]))
    nobody = agreement({})

    for result in (alone, apart, same, nobody):
        for name, one in result.measures.items():
            if (result, name) != (same, "observed_agreement"):
                assert (one.value, one.low, one.high) == (None, None, None)
                assert one.reason
    assert alone.measures["cohen_kappa"].reason == "There is one judge."
    assert "by two judges" in apart.measures["cohen_kappa"].reason
    assert apart.between[0].bias is None
    assert "same" in same.measures["krippendorff_alpha"].reason
    assert value(same, "observed_agreement") == 1
    assert "two judges" in three.measures["cohen_kappa"].reason
    assert "every judge" in three.measures["fleiss_kappa"].reason
    assert three.measures["krippendorff_alpha"].value is not None


def test_cannot_tell_is_no_grade() -> None:
    with_gaps = agreement(one_query_each(ann=[1, 0, X, 2], bob=[1, 1, 3, X]))

    assert with_gaps.pairs == 2
    assert with_gaps.judges == {"ann": 3, "bob": 3}
    assert with_gaps.cannot_tell == {"ann": 1, "bob": 1}
    assert sum(map(sum, with_gaps.between[0].confusion)) == 2


def test_one_query_has_a_value_but_no_interval() -> None:
    ratings: Ratings = {
        "ann": {("q", "a"): 0, ("q", "b"): 1, ("q", "c"): 2},
        "bob": {("q", "a"): 0, ("q", "b"): 1, ("q", "c"): 1},
    }
    kappa = agreement(ratings).measures["cohen_kappa"]

    assert kappa.value is not None
    assert (kappa.low, kappa.high) == (None, None)


def test_disputed_pairs_are_listed_widest_gap_first() -> None:
    result = agreement(one_query_each(ann=[1, 0, 3], bob=[1, 3, 2], cem=[1, 0, X]))

    assert [(p.query_id, p.gap) for p in result.disputed] == [("q1", 3), ("q2", 1)]
    assert result.disputed[0].grades == {"ann": 0, "bob": 3, "cem": 0}


def test_a_grade_outside_the_scale_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'d' has grade 7 for query 'q1'"):
        agreement(one_query_each(ann=[1, 7], bob=[1, 1]))
