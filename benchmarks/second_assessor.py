"""How far does a second assessor of the samples agree with the first?

    python benchmarks/second_assessor.py                  the agreement, from the kept grades
    python benchmarks/second_assessor.py --draw SAMPLE    the pairs to judge, their grades hidden

The draw is seeded: 60 pairs judged 0 that a preset ranks among its first five, and 60 judged 1 or
more, shuffled together. `assessed/<sample>.tsv` keeps for each pair the grade at the draw and
the second assessor's. Half of the draw is relevant by design, so kappa speaks of the draw and not
of the whole pool, where zeros abound.
"""

from __future__ import annotations

import argparse
import random

from _assessed import agreement
from _pools import SAMPLES, read_pool
from _report import report

from rerank_lab.corpora import Corpus, load_corpus

SEED, EACH, NEAR_TOP = 0, 60, 5


def draw(corpus: Corpus) -> list[tuple[str, str]]:
    """120 pairs of query id and document id."""
    _, pool = read_pool(corpus.name)
    pairs = [(q, d, grade) for q, docs in corpus.qrels.items() for d, grade in docs.items()]
    zeros = [(q, d) for q, d, g in pairs if g == 0 and pool[q].get(d, NEAR_TOP + 1) <= NEAR_TOP]
    relevant = [(q, d) for q, d, g in pairs if g > 0]
    chance = random.Random(SEED)
    drawn = chance.sample(sorted(zeros), EACH) + chance.sample(sorted(relevant), EACH)
    chance.shuffle(drawn)
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", choices=SAMPLES, metavar="SAMPLE")
    arguments = parser.parse_args()
    if not arguments.draw:
        report("second_assessor", {name: agreement(name) for name in SAMPLES})
        return
    corpus = load_corpus(arguments.draw)
    queries = {query.id: query.text for query in corpus.queries}
    for query_id, doc_id in draw(corpus):
        print(query_id, doc_id, queries[query_id], corpus.document(doc_id).content, sep="\t")


if __name__ == "__main__":
    main()
