"""Prompts as YAML files with declared placeholders, checked before anything is asked.

    kind: listwise                          which question it puts; see KINDS
    placeholders: [query, passages]         every {name} that is used, and no other
    passage: "[{id}] {passage}"             one line of {passages}
    turns:                                  role system, user or assistant; `each: true` repeats
      - {role: user, text: "..."}           a turn (or a run of turns) for every passage
    again: "... {problem} ..."              added when an unusable answer is asked for again

A line that holds an optional placeholder alone is left out when there is nothing to put there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from rerank_lab.core.errors import InvalidInput, MissingExtra
from rerank_lab.core.paths import data_home, user_path
from rerank_lab.core.storage import write_file

MAX_BYTES = 64_000
FOLDER = Path(__file__).resolve().parent / "prompt_files"
ROLES = ("system", "user", "assistant")
Messages = tuple[tuple[str, str], ...]
"""(role, text) pairs in order."""

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a prompt of a kind must use and may use. `one` kinds show a single passage."""

    required: frozenset[str]
    optional: frozenset[str] = frozenset({"instruction"})
    one: bool = False


_LIST = Kind(frozenset({"query"}), frozenset({"instruction", "count"}))
KINDS: Mapping[str, Kind] = {
    "listwise": _LIST,
    "first": _LIST,
    "select": Kind(frozenset({"query", "keep"}), frozenset({"instruction", "count"})),
    "setwise": _LIST,
    "pairwise": _LIST,
    "yesno": Kind(frozenset({"query", "passage"}), one=True),
    "likelihood": Kind(frozenset({"passage"}), one=True),
    "grade": Kind(
        frozenset({"query", "passage", "grades"}),
        frozenset({"instruction", "guidelines"}),
        one=True,
    ),
    "preference": Kind(frozenset({"query"}), frozenset({"instruction", "guidelines"})),
    "question": Kind(frozenset({"passage"}), one=True),
}
"""The last three are of judging: see `judging.llm_judge`."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation; `each` repeats it for every passage."""

    role: str
    text: str
    each: bool = False


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A checked prompt. `digest` changes with its wording, not with its comments."""

    kind: str
    placeholders: tuple[str, ...]
    turns: tuple[Turn, ...]
    passage: str
    again: str
    digest: str

    @property
    def takes_instruction(self) -> bool:
        """Whether it has a place for an instruction."""
        return "instruction" in self.placeholders

    def check_instruction(self, instruction: str) -> None:
        """Raise InvalidInput for an instruction that this prompt has no place for."""
        if instruction.strip() and not self.takes_instruction:
            raise InvalidInput(
                "This prompt takes no instruction.",
                hint="Add the placeholder {instruction} to it, or leave the instruction out.",
            )

    def messages(
        self, values: Mapping[str, str], passages: Sequence[tuple[str, str]] = (), problem: str = ""
    ) -> Messages:
        """The turns filled in: `values` by placeholder, `passages` as (id, text) pairs.

        `problem` is what was wrong with the last answer, "" the first time.
        """
        lines = [_filled(self.passage, {"id": i, "passage": text}) for i, text in passages]
        values = {**values, "passages": "\n".join(lines)}
        messages: list[tuple[str, str]] = []
        for each, run in groupby(self.turns, key=lambda turn: turn.each):
            turns = list(run)
            for i, text in passages if each else [("", values.get("passage", ""))]:
                inside = {**values, "id": i, "passage": text}
                messages += [(turn.role, _filled(turn.text, inside)) for turn in turns]
        if problem:
            role, text = messages[-1]
            addition = _filled(self.again, {**values, "problem": problem})
            messages[-1] = (role, f"{text}\n\n{addition}")
        return tuple(messages)


def _filled(template: str, values: Mapping[str, str]) -> str:
    lines = []
    for line in template.split("\n"):
        alone = _PLACEHOLDER.fullmatch(line.strip())
        if alone and not values.get(alone[1]):
            continue
        lines.append(_PLACEHOLDER.sub(lambda m: values.get(m[1], m[0]), line))
    return "\n".join(lines)


def load_prompt(name: str, kind: str) -> PromptTemplate:
    """The prompt of that name, or in that YAML file. Raises InvalidInput with every problem."""
    path = _path_of(name)
    try:
        stat = path.stat()
        return _loaded(path, stat.st_mtime_ns, stat.st_size, kind)
    except OSError:
        known = ", ".join(prompt_names(kind))
        raise InvalidInput(
            f"There is no prompt {name!r}.",
            hint=f"Give the path of a YAML file, or one of: {known}.",
        ) from None


def prompt_names(kind: str) -> list[str]:
    """Names of the prompts of a kind, the project's own and those kept in the data folder."""
    names = []
    for path in sorted([*FOLDER.glob("*.yaml"), *own_folder().glob("*.yaml")]):
        try:
            load_prompt(str(path), kind)
        except InvalidInput:
            continue
        names.append(path.stem)
    return list(dict.fromkeys(names))


def prompt_text(name: str) -> str:
    """The YAML of a prompt, to be edited. Raises InvalidInput when there is none of that name."""
    try:
        return _path_of(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise InvalidInput(f"There is no prompt {name!r}.", hint="Choose another name.") from None


def save_prompt(name: str, text: str) -> Path:
    """Keep an edited prompt in the data folder, once it is found to be right.

    Raises InvalidInput for a name that is taken by the project or is no name, and for the text.
    """
    if not _NAME.fullmatch(name) or (FOLDER / f"{name}.yaml").exists():
        raise InvalidInput(
            f"A prompt cannot be kept under the name {name!r}.",
            hint="Use a new name of small letters, digits and hyphens.",
        )
    parse_prompt(text, f"{name}.yaml")
    path = own_folder() / f"{name}.yaml"
    # In one step, so that a pipeline at work reads the old prompt or the new one, never half.
    write_file(path, text)
    return path


def delete_prompt(name: str) -> None:
    """Remove an edited prompt from the data folder. Raises InvalidInput for any other name."""
    if not is_own(name):
        raise InvalidInput(
            f"There is no edited prompt {name!r}.", hint="The project's own prompts stay."
        )
    (own_folder() / f"{name}.yaml").unlink(missing_ok=True)


def is_own(name: str) -> bool:
    """Whether this is the name of a prompt that was edited here, and not one of the project's."""
    return bool(_NAME.fullmatch(name)) and (own_folder() / f"{name}.yaml").is_file()


def is_file(name: str) -> bool:
    """Whether `load_prompt` would take this for the path of a file instead of a name."""
    return bool(name) and not _NAME.fullmatch(name)


def own_folder() -> Path:
    """The folder of prompts that were edited in the app."""
    return data_home() / "prompts"


def parse_prompt(text: str, file: str, kind: str = "") -> PromptTemplate:
    """Check a prompt's YAML. Raises InvalidInput that lists every problem as `file:line: what`.

    `kind` is the one wanted; "" accepts any.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _refused(file, [f"{file}: longer than {MAX_BYTES:,} bytes"])
    try:
        import yaml
    except ImportError:
        raise MissingExtra.of("Reading prompts", "llm") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        what = getattr(error, "problem", None) or "cannot be read"
        raise _refused(file, [f"{file}:{line}: not valid YAML: {what}"]) from None
    reader = _Reader(file)
    prompt = reader.prompt(root, kind)
    if reader.problems or prompt is None:
        raise _refused(file, reader.problems)
    return prompt


def _refused(file: str, problems: list[str]) -> InvalidInput:
    return InvalidInput(
        f"The prompt {file} cannot be used: {'; '.join(problems)}.",
        hint="Correct these lines; the project's own prompts show the form.",
        problems=problems,
    )


def _path_of(name: str) -> Path:
    if _NAME.fullmatch(name):
        own = own_folder() / f"{name}.yaml"
        return own if own.exists() else FOLDER / f"{name}.yaml"
    if not name.endswith((".yaml", ".yml")):
        raise InvalidInput(
            f"{name!r} is no name of a prompt.", hint="Give a name, or a path that ends in .yaml."
        )
    return user_path(name)


@lru_cache(maxsize=64)
def _loaded(path: Path, _modified_ns: int, size: int, kind: str) -> PromptTemplate:
    if size > MAX_BYTES:
        raise _refused(path.name, [f"{path.name}: longer than {MAX_BYTES:,} bytes"])
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise _refused(path.name, [f"{path.name}: not UTF-8"]) from None
    return parse_prompt(text, path.name, kind)


class _Reader:
    """Reads the composed YAML nodes of one file and collects problems with their lines."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[str] = []
        self.used: dict[str, int] = {}
        self.last_turn = 1

    def say(self, line: int, what: str) -> None:
        self.problems.append(f"{self.file}:{line}: {what}")

    def prompt(self, root: Any, wanted: str) -> PromptTemplate | None:
        fields = self.mapping(root, "the file")
        known = {"kind", "placeholders", "turns", "passage", "again"}
        for name, node in fields.items():
            if name not in known:
                self.say(_line(node), f"unknown field {name!r}")
        line = _line(fields.get("kind"))
        kind = self.text(fields.get("kind"), "kind")
        if kind not in KINDS:
            self.say(line, f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
            return None
        if wanted and kind != wanted:
            self.say(line, f"this prompt is of the kind {kind!r}; {wanted!r} is wanted here")
        turns = self.turns(fields.get("turns"))
        passage, again = "{passage}", "Your last answer could not be used: {problem}."
        if "passage" in fields:
            passage = self.template(fields["passage"], "passage", {"id", "passage"}, {"passage"})
        if "again" in fields:
            again = self.template(fields["again"], "again", {"problem", "keep"}, {"problem"})
        declared = self.names(fields.get("placeholders"))
        self.check_placeholders(kind, declared, turns, _line(fields.get("placeholders")))
        parts = [kind, [[t.role, t.text, t.each] for t in turns], passage, again]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return PromptTemplate(kind, tuple(declared), tuple(turns), passage, again, digest)

    def check_placeholders(
        self, kind: str, declared: list[str], turns: list[Turn], line: int
    ) -> None:
        rules = KINDS[kind]
        many = set() if rules.one else {"passages", "id", "passage"}
        known = rules.required | rules.optional | many
        for name, at in self.used.items():
            if name not in known:
                self.say(at, f"unknown placeholder {{{name}}}")
            elif name not in declared:
                self.say(at, f"the placeholder {{{name}}} is used but not declared")
        for name in declared:
            if name not in self.used:
                self.say(line, f"the placeholder {{{name}}} is declared but not used")
        needed = sorted(rules.required - self.used.keys())
        if many and "passages" not in self.used and not any(turn.each for turn in turns):
            needed.append("passages")
        for name in needed:
            self.say(line, f"the placeholder {{{name}}} is missing: a {kind} prompt needs it")
        for turn in turns:
            inside = set(_PLACEHOLDER.findall(turn.text))
            if not rules.one and not turn.each and inside & {"id", "passage"}:
                self.say(line, "{id} and {passage} belong into turns with each: true")
        if turns and (turns[-1].role != "user" or turns[-1].each):
            self.say(self.last_turn, "the last turn must be one user turn: it asks the question")

    def turns(self, node: Any) -> list[Turn]:
        turns = []
        for item in self.items(node, "turns"):
            fields = self.mapping(item, "a turn")
            self.last_turn = _line(item)
            role = self.text(fields.get("role"), "role")
            if role not in ROLES:
                self.say(_line(item), f"role must be one of {', '.join(ROLES)}, not {role!r}")
            text = self.template(fields.get("text"), "text", None)
            each = fields.get("each")
            repeated = each is not None and self.text(each, "each").lower() == "true"
            turns.append(Turn(role, text, repeated))
            for name, inner in fields.items():
                if name not in ("role", "text", "each"):
                    self.say(_line(inner), f"unknown field {name!r} of a turn")
        if not turns:
            self.say(_line(node), "there are no turns")
        return turns

    def template(
        self, node: Any, what: str, allowed: set[str] | None, needed: set[str] | None = None
    ) -> str:
        """A text with placeholders; those of turns are noted, those of others checked here."""
        text = self.text(node, what)
        first = _line(node) + (getattr(node, "style", None) in ("|", ">"))
        names = set()
        for match in _PLACEHOLDER.finditer(text):
            line = first + text.count("\n", 0, match.start())
            names.add(match[1])
            if allowed is None:
                self.used.setdefault(match[1], line)
            elif match[1] not in allowed:
                self.say(line, f"unknown placeholder {{{match[1]}}} in {what}")
        for name in sorted((needed or set()) - names):
            self.say(first, f"the placeholder {{{name}}} is missing in {what}")
        return text

    def names(self, node: Any) -> list[str]:
        return [self.text(item, "a placeholder") for item in self.items(node, "placeholders")]

    def mapping(self, node: Any, what: str) -> dict[str, Any]:
        if getattr(node, "id", "") != "mapping":
            self.say(_line(node), f"{what} must be a mapping")
            return {}
        return {self.text(key, "a field name"): value for key, value in node.value}

    def items(self, node: Any, what: str) -> list[Any]:
        if getattr(node, "id", "") != "sequence":
            self.say(_line(node), f"{what} must be a list")
            return []
        return list(node.value)

    def text(self, node: Any, what: str) -> str:
        if getattr(node, "id", "") != "scalar":
            self.say(_line(node), f"{what} must be text")
            return ""
        return str(node.value)


def _line(node: Any) -> int:
    mark = getattr(node, "start_mark", None)
    return int(mark.line) + 1 if mark else 1
