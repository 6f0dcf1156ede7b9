"""A small real server that speaks the OpenAI chat and completions format, for tests and demos.

    with FakeChat(sorter(overlap)) as server:
        ...  # base_url=server.url; run with RERANK_LAB_ALLOW_PRIVATE_URLS=1

What it says is a function of the question, so that models of every temper can be played: one that
sorts well, one that chats, repeats, invents, refuses, thinks, stops short or repeats its prompt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rerank_lab.testing.provider_servers import KEY, FakeServer, Received, Scorer, Switch, words_of

_CHAT_FIELDS = {
    "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "seed", "logprobs",
    "top_logprobs", "response_format",
}  # fmt: skip
_COMPLETION_FIELDS = {"model", "prompt", "max_tokens", "echo", "logprobs", "temperature"}
_PASSAGE = re.compile(r"^(?:\[(\d+)\]|Passage (\d+|[A-Z]):) (.*)$", re.MULTILINE)
_QUERY = re.compile(r"^(?:Search query|Query): (.*)$", re.MULTILINE)
_KEEP = re.compile(r"Choose the (\d+) passages")
_JUDGED = re.compile(r'^<document(?: id="([AB])")?>(.*)</document>$', re.MULTILINE)
_JUDGED_QUERY = re.compile(r"^<query>(.*)</query>$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Question:
    """What a chat request asks, read back from the project's own prompts."""

    body: Mapping[str, Any]
    query: str
    passages: tuple[tuple[str, str], ...]
    """(identifier, text) in the order shown."""
    kind: str
    keep: int = 0

    @property
    def text(self) -> str:
        """All that the model was shown."""
        return "\n".join(str(turn["content"]) for turn in self.body["messages"])

    @property
    def again(self) -> bool:
        """Whether an answer before this one could not be used."""
        return "Your last answer could not be used" in self.text


@dataclass(frozen=True, slots=True)
class Reply:
    """`first` holds the probabilities of the first token, which must not sum to more than 1."""

    text: str
    first: Mapping[str, float] = field(default_factory=dict)
    finish: str = "stop"
    refusal: str = ""


Mind = Callable[[Question], Reply]


def sorter(scorer: Scorer) -> Mind:
    """A model that answers every form of question rightly, by these scores."""

    def answer(question: Question) -> Reply:
        ids = [i for i, _ in question.passages]
        scores = scorer(question.query, [text for _, text in question.passages])
        if question.kind == "grade":
            return Reply(f'{{"reason": "by its score", "grade": {max(0, round(scores[0]))}}}')
        if question.kind == "preference":
            better = "tie" if scores[0] == scores[1] else "AB"[scores[1] > scores[0]]
            return Reply(f'{{"reason": "by their scores", "better": "{better}"}}')
        best = [ids[k] for k in sorted(range(len(ids)), key=lambda k: (-scores[k], k))]
        if question.kind == "yesno":
            yes = 1 / (1 + math.exp(-scores[0]))
            return Reply("Yes" if yes >= 0.5 else "No", {"Yes": yes, "No": 1 - yes})
        if question.kind == "label":
            likely = {label: 0.5 ** (rank + 1) for rank, label in enumerate(best)}
            return Reply(best[0], likely)
        if question.kind == "json":
            return Reply(f'{{"ranking": [{", ".join(best)}]}}')
        if question.kind == "select":
            return Reply(f"[{', '.join(best[: question.keep])}]")
        return Reply(" > ".join(f"[{i}]" for i in best))

    return answer


def question_of(body: Mapping[str, Any]) -> Question:
    """Read a request back. Raises ValueError when it is none of the project's questions."""
    turns = [str(turn["content"]) for turn in body["messages"]]
    everything, last = "\n".join(turns), turns[-1]
    judged = _judge_question(body, last)
    if judged is not None:
        return judged
    question = _PASSAGE.sub("", last)  # documents may hold the words of a question
    if "yes or no" in last:
        passages = [("", m[1]) for m in re.finditer(r'^Passage: "(.*)"$', last, re.MULTILINE)]
        kind = "yesno"
    else:
        labelled = [m.groups() for turn in turns for m in _PASSAGE.finditer(turn)]
        passages = [(i or j, text.removeprefix('"').removesuffix('"')) for i, j, text in labelled]
        kind = next(
            (
                kind
                for words, kind in (
                    ("Choose the", "select"),
                    ('"ranking"', "json"),
                    ("joined by the sign >", "order"),
                    ("letter", "label"),
                    ("A or B alone", "label"),
                )
                if words in question
            ),
            "",
        )
    query, keep = _QUERY.search(everything), _KEEP.search(question)
    if not kind or query is None:
        raise ValueError("this is none of the questions that are known here")
    return Question(body, query[1], tuple(passages), kind, int(keep[1]) if keep else 0)


def _judge_question(body: Mapping[str, Any], last: str) -> Question | None:
    """A question to an LLM judge, or for another wording of a query; None for any other."""
    query, passages = _JUDGED_QUERY.search(last), _JUDGED.findall(last)
    if passages and query is None:
        return Question(body, "", tuple(passages), "question")
    if query is None:
        return None
    if not passages:
        return Question(body, query[1], (), "paraphrase")
    kind = "preference" if passages[0][0] else "grade"
    return Question(body, query[1], tuple(passages), kind)


class FakeChat(FakeServer):
    """A server for the OpenAI format, with any `mind`."""

    def __init__(
        self,
        mind: Mind,
        *,
        keys: Sequence[str] = (KEY,),
        logprobs: int = 20,
        echo: bool = True,
        schema: bool = True,
    ) -> None:
        """`logprobs`: the most alternatives told, 0 for none. `echo`: tells those of a prompt.

        No `keys`: none is asked for.
        """
        super().__init__()
        self.mind = mind
        self.keys = set(keys)
        self.logprobs, self.echo, self.schema = logprobs, echo, schema
        self.url = f"{self.root}/v1"

    def reply(self, request: Received, switch: Switch) -> tuple[int, Any]:
        """The reply to a request, spoilt as the switch says."""
        if switch.status != 200:
            return switch.status, _error(words_of(switch, request), "error")
        status, payload = self.answer(request.path, request.headers, request.body)
        if status == 200 and switch.model:
            payload["model"] = switch.model
        return status, payload

    def answer(self, path: str, headers: Mapping[str, str], body: Any) -> tuple[int, Any]:
        """Status and payload of a request, checked as strictly as the strictest servers do."""
        if self.keys and headers.get("authorization", "").removeprefix("Bearer ") not in self.keys:
            return 401, _error("Incorrect API key provided.", "invalid_api_key")
        wrong = self._problem(path, body)
        if wrong:
            return (404 if wrong == "Not Found" else 400), _error(wrong, "invalid_request_error")
        return 200, (self._echoed(body) if "prompt" in body else self._chat_reply(body))

    def _problem(self, path: str, body: Any) -> str:
        known = {"/v1/chat/completions": _CHAT_FIELDS, "/v1/completions": _COMPLETION_FIELDS}
        if path not in known:
            return "Not Found"
        if not isinstance(body, dict) or not body.get("model"):
            return "you must provide a model parameter"
        for name, value in body.items():
            if name not in known[path]:
                return f"Unrecognized request argument supplied: {name}"
            if value is None:
                return f"{name} must not be null"
        if body.get("top_logprobs", 0) > self.logprobs or (body.get("logprobs") and not self.echo
                                                           and "prompt" in body):  # fmt: skip
            return f"logprobs: at most {self.logprobs} top_logprobs are given here"
        if "response_format" in body and not self.schema:
            return "response_format is not supported"
        return ""

    def _chat_reply(self, body: Any) -> Any:
        reply = self.mind(question_of(body))
        choice: dict[str, Any] = {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": reply.text,
                "refusal": reply.refusal or None,
            },
            "finish_reason": reply.finish,
            "logprobs": None,
        }
        if body.get("logprobs") and self.logprobs:
            top = sorted(reply.first.items(), key=lambda item: -item[1])[: body["top_logprobs"]]
            listed = [{"token": t, "logprob": math.log(p), "bytes": None} for t, p in top]
            first = listed[0] if listed else {"token": reply.text, "logprob": 0.0, "bytes": None}
            choice["logprobs"] = {"content": [{**first, "top_logprobs": listed}], "refusal": None}
        read = sum(len(str(turn["content"]).split()) for turn in body["messages"])
        return _completion(body, "chat.completion", choice, read, len(reply.text.split()))

    def _echoed(self, body: Any) -> Any:
        """Likelihoods of a bigram kind: words seen before in the prompt are likely."""
        prompt = str(body["prompt"])
        parts = list(re.finditer(r"\s*\S+", prompt))
        earlier: set[str] = set()
        logprobs: list[float | None] = []
        for part in parts:
            word = part[0].strip().lower().strip("?.,")
            logprobs.append((-0.5 if word in earlier else -6.0) if logprobs else None)
            earlier.add(word)
        choice = {
            "index": 0,
            "text": prompt + " and",
            "finish_reason": "length",
            "logprobs": {
                "tokens": [part[0] for part in parts] + [" and"],
                "token_logprobs": [*logprobs, -1.0],
                "text_offset": [part.start() for part in parts] + [len(prompt)],
                "top_logprobs": None,
            },
        }
        return _completion(body, "text_completion", choice, len(parts), 1)


def _completion(body: Any, kind: str, choice: Any, read: int, written: int) -> Any:
    return {
        "id": "fake-1",
        "object": kind,
        "created": 1_790_000_000,
        "model": body["model"],
        "choices": [choice],
        "usage": {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        },
    }


def _error(message: str, code: str) -> Any:
    return {"error": {"message": message, "type": code, "param": None, "code": code}}
