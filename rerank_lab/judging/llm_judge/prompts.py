"""The prompts of LLM judges: the project's own, those kept in the data folder, and files.

They are YAML files as the rerankers' prompts are (`rerankers.llm.prompts`), of the kinds "grade"
and "preference", and checked in the same way before anything is asked.
"""

from __future__ import annotations

from pathlib import Path

from rerank_lab.core.errors import InvalidInput
from rerank_lab.rerankers.llm.prompts import (
    PromptTemplate,
    is_file,
    load_prompt,
    prompt_names,
    prompt_text,
)
from rerank_lab.rerankers.llm.prompts import (
    is_own as is_edited,
)

PROMPT_FOLDER = Path(__file__).resolve().parent / "prompt_files"
PREFERENCE = "preference"
"""The prompt that asks which of two documents is better."""
QUESTION = "question"
"""The prompt that asks for a query which a document answers."""


def load_judge_prompt(name: str, kind: str = "grade") -> PromptTemplate:
    """The prompt of that name, or in that YAML file.

    Raises:
        InvalidInput: there is none of that name, or it cannot be used; with every problem.
    """
    own = PROMPT_FOLDER / f"{name}.yaml"
    if is_file(name) or is_edited(name):
        return load_prompt(name, kind)
    if not own.is_file():
        raise InvalidInput(
            f"There is no prompt {name!r} of the kind {kind!r}.",
            hint=f"Give a .yaml file, or one of: {', '.join(judge_prompt_names(kind))}.",
        )
    return load_prompt(str(own), kind)


def judge_prompt_names(kind: str = "grade") -> tuple[str, ...]:
    """The project's own prompts of a kind, then those that were edited here."""
    names = (path.stem for path in sorted(PROMPT_FOLDER.glob("*.yaml"), reverse=True))
    projects = [name for name in names if load_judge_prompt(name, "").kind == kind]
    return tuple(dict.fromkeys((*projects, *prompt_names(kind))))


def judge_prompt_text(name: str) -> str:
    """The YAML of a prompt, to be copied and edited. Raises InvalidInput when there is none."""
    own = PROMPT_FOLDER / f"{name}.yaml"
    is_own = not is_file(name) and own.is_file()
    return prompt_text(str(own) if is_own else name)
