"""What is fuzzed: each target reads bytes and may refuse them with a LabError, and nothing else."""

from __future__ import annotations

from tests.fuzz.targets.base import JSON_PIECES, Target, check, texts
from tests.fuzz.targets.files import (
    corpus_seeds,
    judged_seeds,
    read_corpus,
    read_judged,
    read_pasted,
    read_run_file,
    run_seeds,
)
from tests.fuzz.targets.labels import label_seeds, read_label_file
from tests.fuzz.targets.servers import (
    ANSWERS,
    chat_seeds,
    read_answer,
    read_chat,
    read_reply,
    reply_seeds,
)
from tests.fuzz.targets.stored import (
    model_seeds,
    own_seeds,
    read_comparison,
    read_model_folder,
    read_own_files,
    saved_comparison,
)
from tests.fuzz.targets.typed import (
    MEASURES,
    SPECS,
    prompt_seeds,
    read_link,
    read_measure,
    read_prompt,
    read_spec,
)

__all__ = ["TARGETS", "Target", "check"]

TARGETS = {
    target.name: target
    for target in (
        Target("corpora", corpus_seeds, read_corpus, JSON_PIECES),
        Target(
            "pasted",
            texts("one\nfirst\nsecond", '\n{"id": 1, "text": "a"}\n', "(\na\tb\n"),
            read_pasted,
        ),
        Target(
            "judged",
            judged_seeds,
            read_judged,
            (b"qid:", b"<top>", b"<num>", b"#docid", *JSON_PIECES),
        ),
        Target(
            "labels",
            label_seeds,
            read_label_file,
            (b"qid:", b"#docid", b'"kind": "llm"', b'"at": "2026"', b"nan", b"1e999", *JSON_PIECES),
        ),
        Target("runs", run_seeds, read_run_file, JSON_PIECES),
        Target(
            "specs",
            texts(*SPECS),
            read_spec,
            tuple(s.encode() for s in (*SPECS, ">>", "k=", "(bm25,")),
        ),
        Target(
            "links",
            texts(
                "p=bm25&q=a&saved=0123456789abcdef",
                "experiment=0123456789abcdef",
                "model=mine&m=./a",
                "p=bm25%20%3E%3E%20identity&p=x&depth=50",
                "m=owner/name",
            ),
            read_link,
            (b"p=", b"&q=", b"%ED%A0%80", b"..%2f", b"model=", b"m=", b"~", b"%00"),
        ),
        Target(
            "prompts",
            prompt_seeds,
            read_prompt,
            (b"{id}", b"{passage}", b"- user: |\n  ", b"? ", b"!!int "),
        ),
        Target(
            "measures",
            texts(*(f"{name}\n{grade}" for name in MEASURES for grade in (1, 4))),
            read_measure,
            (b"@0", b"(rel=0)", b"cutoff=", b"gains={", b"-1", b"1e999", b"True"),
        ),
        Target("replies", reply_seeds, read_reply, JSON_PIECES),
        Target("chats", chat_seeds, read_chat, JSON_PIECES),
        Target(
            "answers",
            lambda: list(ANSWERS),
            read_answer,
            (b"[1]", b" > ", b"<think>", b"Passage B", b"[99999]"),
        ),
        Target("comparisons", lambda: [saved_comparison()], read_comparison, JSON_PIECES),
        Target(
            "models",
            model_seeds,
            read_model_folder,
            (b'"auto_map": ', b'"model_type": "t5"', *JSON_PIECES),
        ),
        Target("data-folder", own_seeds, read_own_files, JSON_PIECES),
    )
}
