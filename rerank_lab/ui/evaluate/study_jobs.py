"""The job behind a question on Evaluate: watched while it is at work, its error told after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from rerank_lab.jobs.table import Job, JobState
from rerank_lab.ui.shared import parts
from rerank_lab.ui.shared.waiting import running, watch


def at_work(jobs: Sequence[Job[Any]], key: str) -> bool:
    """Whether one of the jobs is at work; it is watched then. Else the last one's error is shown.

    Args:
        jobs: Of one question, oldest first.
        key: Of the card that says what went wrong.
    """
    job = running(jobs)
    if job is not None:
        watch(job)
        st.caption("You may leave: this goes on without you, and the result is kept.")
        return True
    last = next(reversed(jobs), None)
    if last is not None and last.state is JobState.FAILED and last.error is not None:
        parts.error_card(last.error, key=key)
    return False
