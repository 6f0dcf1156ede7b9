"""The options that all rerankers over a language model share, and how their Info is made."""

from __future__ import annotations

from rerank_lab.components.base import Info, Param

TOP = Param(
    "top", 20, "How many candidates are reranked; those below keep their order.", 1, 10_000,
    unit="documents", label="Candidates to rerank",
)  # fmt: skip
MODEL = Param("model", "gpt-4.1-mini", "The model's name, as its endpoint writes it.", local=True)
CONNECTION = (
    MODEL,
    Param("backend", "endpoint", "An OpenAI-compatible endpoint, or a local transformers model.",
          choices=("endpoint", "local"), label="Runs on"),
    Param("base_url", "", "Address of the endpoint; empty for OpenAI's own.", label="Base URL"),
    Param("key_variable", "OPENAI_API_KEY", "Environment variable of the key.", label="Key"),
)  # fmt: skip
PROMPTING = (
    Param("prompt", "", "Name or .yaml file of another prompt; empty for the form's own.",
          label="Prompt", local=True),
    Param("instruction", "", "A wish such as: prefer recent documents.", label="Instruction"),
    Param("passage_words", 300, "Words of a passage that are shown; the rest is cut.", 1, 20_000,
          unit="words", label="Passage budget"),
    Param("reasoning_tokens", 0, "Tokens for thinking, on top of those for the answer.",
          0, 200_000, unit="tokens", label="Reasoning budget"),
    Param("temperature", 0.0, "0 for the likeliest words; -1 to send none.", -1.0, 2.0),
    Param("seed", 0, "Sent to the endpoint, and the seed of any shuffling.", 0, 2**31 - 1),
)  # fmt: skip
EXECUTION = (
    Param("timeout_s", 60.0, "Longest wait for one answer, further attempts included.",
          0.1, 1200.0, unit="seconds", label="Timeout", execution=True),
    Param("retries", 3, "How often a request is sent again when the fault may pass.", 0, 8,
          label="Retries", execution=True),
    Param("requests_per_minute", 0, "Your plan's limit; 0 for none.", 0, 1_000_000,
          execution=True, automatic="no limit"),
    Param("tokens_per_minute", 0, "Your plan's limit; 0 for none.", 0, 1_000_000_000,
          execution=True, automatic="no limit"),
    Param("price_in", -1.0, "USD for a million tokens read; -1 for the dated price list.",
          -1.0, 10_000.0, unit="USD", label="Price of a million tokens read", execution=True,
          automatic="by the price list"),
    Param("price_out", -1.0, "USD for a million tokens written; -1 for the dated price list.",
          -1.0, 10_000.0, unit="USD", label="Price of a million tokens written", execution=True,
          automatic="by the price list"),
)  # fmt: skip


def llm_info(name: str, summary: str, scale: str, *own: Param) -> Info:
    """The Info of a component over a language model, with `own` options beside the shared ones."""
    return Info(
        name=name,
        kind="reranker",
        family="llm",
        summary=summary,
        scale=scale,
        params=(TOP, *own, *CONNECTION, *PROMPTING, *EXECUTION),
        extra="llm",
        key_variable="OPENAI_API_KEY",
        lane="network",
        lanes=(("backend", "local", "cpu"),),
        deterministic=False,
    )
