"""Prompts of the user's own as a use case: keep and delete."""

from __future__ import annotations

from rerank_lab.core.errors import InvalidInput
from rerank_lab.rerankers.llm.prompts import delete_prompt, is_own, save_prompt
from rerank_lab.services.access import Action, needs


@needs(Action.EDIT, "name")
def save(name: str, text: str, editing: str) -> None:
    """Keep a draft; `editing` is the prompt that is edited again, "" for a copy.

    Raises InvalidInput for a name that is taken by another prompt or is none, and for the text.
    """
    if name != editing and is_own(name):
        raise InvalidInput(
            f"There is a prompt {name!r} already.", hint="Use another name, or edit that one."
        )
    save_prompt(name, text)


@needs(Action.DELETE, "name")
def delete(name: str) -> None:
    """Delete a prompt. Raises InvalidInput where there is none."""
    delete_prompt(name)
