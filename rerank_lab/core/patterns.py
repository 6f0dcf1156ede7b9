"""Regular expressions that are compiled when they are first used."""

from __future__ import annotations

import re
from functools import cached_property


class LazyPattern:
    """A pattern with large classes of characters: compiling one takes milliseconds at every start.

    Most commands never meet a text that needs it.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The compiled pattern."""
        return re.compile(self._pattern)
