"""Computes every number of a decision report again, from the files exported beside it.

    rerank-lab report EXPERIMENT -o report.html --files files
    python docs/recompute_report.py report.html files

It needs ir_measures, numpy and scipy, and nothing of Rerank Lab. Measures come from ir_measures,
over judgments and rankings; tests, intervals and quantiles from numpy and scipy, over the values
computed here. What no file can tell again (prices, sizes of models, what other studies measured)
is compared with the file that it was copied from. A number that is neither is reported too.
"""

# ruff: noqa: B019, T201

from __future__ import annotations

import json
import math
import re
import sys
from functools import cache, cached_property
from html.parser import HTMLParser
from pathlib import Path

import ir_measures
import numpy as np
from scipy import stats

ANSWERED = {"ok", "cached", "truncated", "repaired"}
NUMBER = re.compile(r"(?<![\w@.−-])[+−-]?\d[\d,]*(?:\.\d+)?")
UNITS = {"ms": 1e-3, "s": 1.0, "%": 1e-2, "MB": 1e6, "GB": 1e9}
JUDGING_DEPTH = 10
MAX_GRADE = 1000


class Page(HTMLParser):
    """The numbers of a report (`data` elements), its letters, its texts as they stand, the rest."""

    def __init__(self, page):
        super().__init__()
        self.numbers, self.letters, self.texts, self.rest = [], [], [], []
        self._open, self._skipped, self._main = [], 0, False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self._main = self._main or tag in ("main", "header")
        if tag in ("svg", "figcaption", "nav"):
            self._skipped += 1
        if tag in ("data", "sup") or attributes.get("class") == "verbatim":
            self._open.append((tag, attributes, []))

    def handle_endtag(self, tag):
        if tag in ("svg", "figcaption", "nav"):
            self._skipped -= 1
        if self._open and self._open[-1][0] == tag:
            _, attributes, parts = self._open.pop()
            text = "".join(parts)
            if tag == "data":
                self.numbers.append((json.loads(attributes["data-of"]), attributes["value"], text))
            elif tag == "sup":
                self.letters.append((json.loads(attributes["data-of"]), text))
            else:
                self.texts.append((tag, text))

    def handle_data(self, data):
        if self._open:
            self._open[-1][2].append(data)
        elif self._main and not self._skipped:
            self.rest.append(data)


class Files:
    """The exported files, and everything that can be computed from them."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.manifest = self.read("manifest.json")
        self.settings = self.manifest["settings"]
        self.pipelines = self.manifest["pipelines"]
        self.queries = self.manifest["queries"]
        self.primary = self.manifest["primary"]
        self.baseline = self.pipelines.index(self.manifest["baseline"])
        self.qrels = {q: grades for q, grades in self.read("qrels.json").items() if grades}
        self.cells = {}
        for row in self.read("queries.json")["queries"]:
            self.cells[self.pipelines.index(row["pipeline"]), row["query_id"]] = row
        self.runs = [self._run(place) for place in range(len(self.pipelines))]
        measured = [
            [q for q in self.queries if self.answered(i, q) and q in self.qrels]
            for i in range(len(self.pipelines))
        ]
        self.measured = measured
        some = [set(ids) for ids in measured if ids]
        self.common = [q for q in self.queries if some and all(q in ids for ids in some)]
        self.compared = [i for i, ids in enumerate(measured) if ids and self.common]

    def read(self, name):
        return json.loads((self.folder / name).read_text("utf-8"))

    def answered(self, i, query_id):
        return self.cells[i, query_id]["status"] in ANSWERED

    def _run(self, place):
        """Query id -> document ids in their order."""
        name = self.manifest["runs"].get(str(place + 1))
        rankings = {}
        if name is None:
            return rankings
        lines = (self.folder / name).read_text("utf-8").split("\n")
        for line in filter(None, lines):
            if name.endswith(".jsonl"):
                row = json.loads(line)
                if "hits" in row:
                    rankings[row["query_id"]] = [doc_id for doc_id, _ in row["hits"]]
            else:
                query_id, _, doc_id, *_ = line.split(" ")
                rankings.setdefault(query_id, []).append(doc_id)
        return rankings

    # Measures, by ir_measures

    def measure(self, name, rankings, qrels):
        """Query id -> value; ids are numbered, since trec_eval and gdeval do not take them all."""
        measure = ir_measures.parse_measure(name)
        if measure.NAME == "IPrec":
            return {q: interpolated_precision(measure, rankings[q], qrels[q]) for q in rankings}
        names, graded, scored = {}, {}, {}
        for number, query_id in enumerate(rankings):
            names[str(number)] = query_id
            docs = dict.fromkeys((*qrels[query_id], *rankings[query_id]))
            ids = {doc_id: str(place) for place, doc_id in enumerate(docs)}
            lowest = 0 if max(qrels[query_id].values()) < 0 else -MAX_GRADE
            graded[str(number)] = {ids[d]: max(lowest, g) for d, g in qrels[query_id].items()}
            if rankings[query_id] or measure.NAME in ("NumQ", "NumRel"):
                count = len(rankings[query_id])
                scored[str(number)] = {ids[d]: count - p for p, d in enumerate(rankings[query_id])}
        values = dict.fromkeys(rankings, float(measure.DEFAULT))
        if scored:
            for one in ir_measures.iter_calc([measure], graded, scored):
                values[names[one.query_id]] = float(one.value)
        return values

    def aggregate(self, name, values):
        total = ir_measures.parse_measure(name).aggregator()
        for value in values:
            total.add(value)
        return float(total.result())

    @cache
    def values(self, i, name):
        rankings = {q: self.runs[i].get(q, []) for q in self.measured[i]}
        return self.measure(name, rankings, self.qrels)

    def common_values(self, i, name):
        values = self.values(i, name)
        return np.array([values[q] for q in self.common])

    @cached_property
    def depth(self):
        return int(ir_measures.parse_measure(self.primary).params.get("cutoff", 0)) or JUDGING_DEPTH

    # Statistics, by numpy and scipy

    @cache
    def comparison(self, a, b, name, query_ids=None):
        """b against a: everything but the correction, on the common queries."""
        of_a, of_b = self.values(a, name), self.values(b, name)
        deltas = np.array([of_b[q] - of_a[q] for q in query_ids or self.common])
        tolerance = self.settings["tolerance"]
        wins, losses = int((deltas > tolerance).sum()), int((deltas < -tolerance).sum())
        low, high = self.interval(deltas)
        values = [side[q] for side in (of_a, of_b) for q in query_ids or self.common]
        if low is not None and min(values) >= 0 and max(values) <= 1:
            low, high = max(-1.0, low), min(1.0, high)
        return {
            "difference": float(deltas.mean()), "low": low, "high": high,
            "p": self.randomisation_test(deltas), "p_t": t_test(deltas),
            "wins": wins, "losses": losses, "ties": len(deltas) - wins - losses,
            "detectable": self.z(1) * deltas.std(ddof=1) / math.sqrt(len(deltas))
            if len(deltas) > 1 else None,
        }  # fmt: skip

    def z(self, comparisons):
        tail = (1 - self.settings["level"]) / 2 / comparisons
        return stats.norm.ppf(1 - tail) + stats.norm.ppf(self.settings["power"])

    def interval(self, values):
        """Of the mean, by scipy with the seed of the report: Student's for few values, else BCa.

        The tails of BCa are widened by Student's quantile (Hesterberg, 2015).
        """
        n, level = len(values), self.settings["level"]
        if n < 2:
            return None, None
        if np.ptp(values) == 0:
            return float(values[0]), float(values[0])
        if n < self.settings["resampled_from"]:
            return stats.t.interval(level, n - 1, values.mean(), stats.sem(values))
        widened = stats.norm.cdf(stats.t.ppf((1 - level) / 2, n - 1) * math.sqrt(n / (n - 1)))
        size = max(1, 2_000_000 // len(values))
        with np.errstate(all="ignore"):
            interval = stats.bootstrap(
                (values,), np.mean, n_resamples=self.settings["resamples"], batch=size,
                confidence_level=1 - 2 * widened, method="BCa",
                rng=np.random.default_rng(self.settings["seed"]),
            ).confidence_interval  # fmt: skip
        return float(interval.low), float(interval.high)

    def randomisation_test(self, deltas):
        """The paired sign-flip test: exact up to 16 queries, else with the seed of the report.

        scipy's own test with other random signs must come to the same within its error.
        """
        n, resamples = len(deltas), self.settings["resamples"]
        if n < 2:
            return None
        observed = abs(float(deltas.sum()))
        near = observed - 1e-12 * max(1.0, float(np.abs(deltas).sum()))
        if n <= 16:
            bits = np.arange(2**n, dtype=np.uint32)[:, None] >> np.arange(n, dtype=np.uint32) & 1
            p = float((np.abs((1.0 - 2.0 * bits) @ deltas) >= near).mean())
        else:
            random, hits, left = np.random.default_rng(self.settings["seed"]), 0, resamples
            while left:
                size = min(left, max(1, 2_000_000 // n))
                signs = 2.0 * random.integers(0, 2, (size, n), dtype=np.int8) - 1.0
                hits += int((np.abs(signs @ deltas) >= near).sum())
                left -= size
            p = (hits + 1) / (resamples + 1)
        theirs = stats.permutation_test(
            (deltas,), lambda sample, axis: np.round(np.abs(sample.mean(axis=axis)), 12),
            permutation_type="samples", vectorized=True, n_resamples=1000, alternative="greater",
            rng=np.random.default_rng(1),
        ).pvalue  # fmt: skip
        error = 6 * math.sqrt(max(p * (1 - p), 0.001) / 1000)
        if abs(theirs - p) > error + 0.002:
            raise SystemExit(f"scipy's test says p = {theirs:.4f}, the report's own {p:.4f}.")
        return p

    @cached_property
    def against_baseline(self):
        """i -> the comparison with the baseline, p corrected over all of them."""
        others = [i for i in self.compared if i != self.baseline]
        results = {i: self.comparison(self.baseline, i, self.primary) for i in others}
        return with_holm(results)

    @cache
    def pairs(self, name):
        """(a, b) -> the comparison, a before b, p corrected over all pairs."""
        keys = [(a, b) for a in self.compared for b in self.compared if a < b]
        return with_holm({key: self.comparison(*key, name) for key in keys})

    def pair(self, a, b, name):
        if a < b:
            return self.pairs(name)[a, b]
        one = self.pairs(name)[b, a]
        turned = {"difference": -one["difference"], "wins": one["losses"], "losses": one["wins"]}
        turned |= {"low": minus(one["high"]), "high": minus(one["low"])}
        return one | turned

    def unjudged(self, i, query_ids):
        """Query id -> unjudged documents among the first ones of a pipeline."""
        return {
            q: [d for d in self.runs[i].get(q, [])[: self.depth] if d not in self.qrels[q]]
            for q in query_ids
        }

    # Quantities, by the names that the report gives them

    def quantity(self, kind, *of):
        return getattr(self, f"of_{kind}")(*of)

    def of_constant(self):
        return None

    def of_setting(self, name):
        return self.depth if name == "judging_depth" else self.settings[name]

    def of_count(self, what):
        done = sum(cell["status"] != "" for cell in self.cells.values())
        return {
            "queries": len(self.queries), "pipelines": len(self.pipelines),
            "common": len(self.common), "judged": sum(q in self.qrels for q in self.queries),
            "cells": done, "all_cells": len(self.cells),
        }[what]  # fmt: skip

    def of_measured(self, i):
        return len(self.measured[i])

    def of_status(self, i, status):
        return sum(self.cells[i, q]["status"] == status for q in self.queries)

    def of_pending(self, i):
        return self.of_status(i, "")

    def seconds(self, i):
        times = [self.cells[i, q]["seconds"] for q in self.queries]
        return np.array([one for one in times if one is not None])

    def of_timed(self, i):
        return len(self.seconds(i))

    def of_p50(self, i):
        return np.percentile(self.seconds(i), 50)

    def of_p95(self, i):
        return np.percentile(self.seconds(i), 95)

    def of_candidates(self, i):
        return self.manifest["candidates"][i]

    def of_mean(self, i, name):
        return self.aggregate(name, self.values(i, name).values())

    def of_common_mean(self, i, name):
        return self.aggregate(name, self.common_values(i, name))

    def of_value(self, i, name, query_id):
        return self.values(i, name)[query_id]

    def of_grade(self, query_id, doc_id):
        return self.qrels[query_id][doc_id]

    def of_paired(self, i, field):
        return self.against_baseline[i][field]

    def of_pair(self, a, b, field):
        return self.pair(a, b, self.primary)[field]

    def of_beats(self, i, name):
        beaten = [
            other for other in self.compared
            if other != i and (one := self.pair(other, i, name))["difference"] > 0
            and one["p_holm"] < self.settings["alpha"]
        ]  # fmt: skip
        return "".join(letter(other) for other in beaten)

    def of_unjudged(self, i):
        tops = [self.runs[i].get(q, [])[: self.depth] for q in self.measured[i]]
        unknown = sum(map(len, self.unjudged(i, self.measured[i]).values()))
        return unknown / sum(map(len, tops))

    def of_unjudged_pairs(self):
        pairs = {
            (q, d)
            for i in self.compared
            for q, docs in self.unjudged(i, self.common).items()
            for d in docs
        }
        return len(pairs)

    def of_quality(self, i, field):
        values = self.common_values(i, self.primary)
        low, high = self.interval(values)
        if low is not None:
            low = max(0.0, low) if values.min() >= 0 else low
            high = min(1.0, high) if values.max() <= 1 else high
        return {"value": float(values.mean()), "low": low, "high": high}[field]

    @cache
    def ceiling(self, i):
        rankings = {q: self.runs[i].get(q, []) for q in self.common}
        ideal = {
            q: sorted(docs, key=lambda d, q=q: -self.qrels[q].get(d, 0))
            for q, docs in rankings.items()
        }
        recalls = self.measure("R@1000", ideal, self.qrels)
        best = self.aggregate(self.primary, self.measure(self.primary, ideal, self.qrels).values())
        reached = self.of_common_mean(i, self.primary)
        return {
            "candidates": sum(map(len, rankings.values())) / len(rankings),
            "recall": self.aggregate("R@1000", recalls.values()),
            "empty": sum(value == 0 for value in recalls.values()),
            "reached": reached, "oracle": best, "gap": best - reached,
        }  # fmt: skip

    def of_ceiling(self, i, field):
        return self.ceiling(i)[field]

    @cache
    def of_bounds(self, i, field):
        rankings = {q: self.runs[i].get(q, []) for q in self.common}
        qrels = {q: self.qrels[q] for q in self.common}
        name = f"Judged@{self.depth}" if field == "judged" else self.primary
        if field == "high":
            grade = max(1, *(g for grades in qrels.values() for g in grades.values()))
            more = self.unjudged(i, self.common)
            qrels = {q: grades | dict.fromkeys(more[q], grade) for q, grades in qrels.items()}
        if field == "condensed":
            rankings = {q: [d for d in docs if d in qrels[q]] for q, docs in rankings.items()}
        return self.aggregate(name, self.measure(name, rankings, qrels).values())

    @cached_property
    def groups(self):
        return self.read("groups.json")

    def of_tag_size(self, group, tag):
        return len(self.groups[group][tag])

    @cache
    def tags(self, group):
        """(tag, i) -> the comparison with the baseline, p corrected over tags and pipelines."""
        others = [i for i in self.compared if i != self.baseline]
        keys = [(tag, i) for tag in self.groups[group] for i in others]
        return with_holm({
            (tag, i): self.comparison(
                self.baseline, i, self.primary, tuple(self.groups[group][tag])
            )
            for tag, i in keys
        })  # fmt: skip

    def of_tag(self, group, tag, i, field):
        if field == "mean":
            values = self.values(i, self.primary)
            return float(np.mean([values[q] for q in self.groups[group][tag]]))
        return self.tags(group)[tag, i][field]

    def of_crossover(self, group, a, b, ahead, behind, field):
        tag = ahead if field in ("lead", "p_lead") else behind
        tags = {name: ids for name, ids in self.groups[group].items() if len(ids) >= 10}
        pairs = [(x, y) for x in self.compared for y in self.compared if x < y]
        results = with_holm({
            (name, pair): self.comparison(*pair[::-1], self.primary, tuple(ids))
            for name, ids in tags.items() for pair in pairs
        })  # fmt: skip
        one = results[tag, (a, b)]
        return one["difference"] if field in ("lead", "deficit") else one["p_holm"]

    @cached_property
    def decision(self):
        return self.read("decision.json")

    def of_decision(self, *path):
        """What was copied from the decision; what can be computed again is."""
        value = at(self.decision, path)
        again = self.of_decision_again(*path)
        if again is not None and not same(again, value):
            raise SystemExit(f"decision.json: {path} is {value!r}, recomputed {again!r}.")
        return value

    def of_decision_again(self, *path):
        match path:
            case ("contenders", i, "facts", "p95", "value", field):
                if (
                    "timed answers of this evaluation"
                    in self.decision["contenders"][i]["facts"]["p95"]["source"]
                ):
                    return quantile_bounds(self.seconds(i), 0.95, self.settings["level"])[field]
            case ("steps", place, "count") if self.decision["steps"][place]["kind"] == "queries":
                b = self.pipelines.index(self.decision["pipeline"])
                rivals = [self.pipelines.index(one) for one in self.decision["rivals"]]
                return max(self.queries_needed(a, b) for a in rivals)
            case ("steps", place, "count") if self.decision["steps"][place]["kind"] == "judgments":
                return len(
                    {
                        (q, d)
                        for i in range(len(self.pipelines))
                        for q in self.measured[i]
                        for d in self.unjudged(i, [q])[q]
                    }
                )
        return None

    def queries_needed(self, a, b):
        deltas = self.common_values(b, self.primary) - self.common_values(a, self.primary)
        if not deltas.mean():
            return 0
        z = self.z(max(1, len(self.pairs(self.primary))))
        return max(2, math.ceil((z * deltas.std(ddof=1) / deltas.mean()) ** 2))

    def of_cost(self, i, field):
        """USD from what providers bill a query and machines by the hour; speeds are copied."""
        cost = self.read("costs.json")[i]
        terms, speed = cost["terms"], cost["capacity"]["queries_per_s"]
        queries, hourly = terms["queries_per_month"], terms["usd_per_hour"]
        machines = 0
        if cost["capacity"]["needed"]:
            machines = None
            if speed:
                busy = queries * terms["peak"] / (730 * 3600) / speed
                machines = max(1, math.ceil(busy - 1e-9))
        if field in ("machines", "capacity"):
            return machines if field == "machines" else speed
        billed = [provider["usd"] for provider in cost["providers"]]
        own = 0 if not machines or (sum(billed) and hourly is None) else machines * hourly * 730
        month = math.fsum(billed) * queries + own
        return month if field == "usd_per_month" else month / queries * 1000

    def of_study(self, name, *path):
        return at(self.read(f"studies/{name}.json"), path)


def interpolated_precision(measure, ranked, grades):
    relevant = {doc_id for doc_id, grade in grades.items() if grade >= measure["rel"]}
    at_ranks = [rank for rank, doc_id in enumerate(ranked, 1) if doc_id in relevant]
    precisions = [place / rank for place, rank in enumerate(at_ranks, 1)]
    needed = max(1, int(measure["recall"] * len(relevant) + 0.5))
    return max(precisions[needed - 1 :], default=0.0)


def t_test(deltas):
    if len(deltas) < 2 or deltas.std(ddof=1) <= 1e-15 * np.abs(deltas).max():
        return None
    return float(stats.ttest_1samp(deltas, 0).pvalue)


def with_holm(results):
    """The results with `p_holm`: step-down over those that have a p-value."""
    known = sorted(
        (key for key in results if results[key]["p"] is not None), key=lambda key: results[key]["p"]
    )
    highest, corrected = 0.0, {}
    for place, key in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - place) * results[key]["p"]))
        corrected[key] = highest
    return {key: one | {"p_holm": corrected.get(key)} for key, one in results.items()}


def quantile_bounds(values, share, level):
    """A quantile, and the order statistics that enclose it, by the binomial distribution."""
    ordered, n, tail = np.sort(values), len(values), (1 - level) / 2
    below = stats.binom.cdf(np.arange(n + 1) - 1, n, share)
    low = [i for i in range(1, n + 1) if below[i] <= tail]
    high = [i for i in range(1, n + 1) if 1 - below[i] <= tail]
    return {
        "value": float(np.quantile(ordered, share)),
        "low": float(ordered[low[-1] - 1]) if low else None,
        "high": float(ordered[high[0] - 1]) if high else None,
    }


def minus(value):
    return None if value is None else -value


def letter(place):
    word, place = "", place + 1
    while place:
        place, rest = divmod(place - 1, 26)
        word = chr(ord("a") + rest) + word
    return word


def at(values, path):
    for step in path:
        values = values[step]
    return values


def same(a, b):
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=1e-7, abs_tol=1e-9)


def prints(text, value):
    """Whether `text` is how `value` is printed: rounded, with its sign and unit."""
    found = re.search(r"([+−-]?)(\d[\d,]*(?:\.\d+)?)\s*(ms|s|%|MB|GB)?", text)
    if not found:
        return False
    sign, digits, unit = found.groups()
    factor = UNITS.get(unit, 1.0)
    printed = float(digits.replace(",", "")) * (-1 if sign in ("−", "-") and sign else 1)
    if "<" in text:
        return value < printed
    decimals = len(digits.partition(".")[2])
    shown = value / factor
    if not sign and text != text.strip("+−-"):
        return False
    if sign == "" and shown < 0:
        shown = -shown  # a sentence says "worse by 0.05"
    return abs(shown - printed) <= 0.5000001 * 10.0**-decimals


def number_problem(files, of, written, text):
    """What is wrong with a number of the report; "" for nothing."""
    name = " ".join(map(str, of))
    value = float(written)
    if of[0] != "constant":
        recomputed = files.quantity(*of)
        if not same(recomputed, value):
            return f"{name}: the report holds {value!r}, recomputed {recomputed!r}"
    if not prints(text, value):
        return f"{name}: {text!r} is not how {value!r} is printed"
    return ""


def problems(page, files):
    """Everything in a report that its files do not give."""
    report = Page(page)
    lines = [number_problem(files, *one) for one in report.numbers]
    for of, text in report.letters:
        recomputed = files.quantity(*of)
        if text != recomputed:
            lines.append(f"{' '.join(map(str, of))}: letters {text!r}, recomputed {recomputed!r}")
    known = {" ".join(text.split()) for text in files.read("texts.json")}
    for tag, text in report.texts:
        if tag != "pre" and " ".join(text.split()) not in known:
            lines.append(f"{text!r} is in none of the files")
    for text in report.rest:
        lines += [f"{found!r} in {text!r} is not accounted for" for found in NUMBER.findall(text)]
    return [line for line in lines if line]


def main(page, folder):
    report, files = Path(page).read_text("utf-8"), Files(folder)
    lines = problems(report, files)
    for line in lines:
        print(line)
    print(f"{len(Page(report).numbers)} numbers recomputed, {len(lines)} of them differ.")
    return 1 if lines else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python docs/recompute_report.py report.html files")
    sys.exit(main(*sys.argv[1:]))
