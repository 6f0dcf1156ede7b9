"""Watching jobs: their rows at the side, their cards on a page, and leaving them."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import TypeVar

import streamlit as st

from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.ui.shared import parts, resources
from rerank_lab.views.jobs import job_line

R = TypeVar("R")
_LEFT = "left_jobs"
_PACES = ((4.0, 0.4), (20.0, 1.0))
_SLOWEST_S = 1.5
"""Well below `STOP_LEASE_S` of the job table, after which a silent page counts as gone."""


def pace(waited_s: float) -> float:
    """Seconds until a page looks again: soon at first, and seldom once it has waited for long."""
    return next((poll_s for limit_s, poll_s in _PACES if waited_s < limit_s), _SLOWEST_S)


def short_key(text: str) -> str:
    """A widget key for any text: 10 hexadecimal digits."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def first_time(job: Job[object]) -> bool:
    """True once a session for a job that has ended: the moment to take its result in."""
    seen = st.session_state.setdefault("jobs_taken_in", [])
    if not job.state.ended or job.key in seen:
        return False
    seen.append(job.key)
    del seen[:-100]
    return True


def running(jobs: Iterable[Job[R]]) -> Job[R] | None:
    """The first of these jobs that is still at work."""
    return next((job for job in jobs if not job.state.ended), None)


def left() -> frozenset[JobKey[object]]:
    """Keys of the jobs that this session no longer wants."""
    keys: frozenset[JobKey[object]] = st.session_state.get(_LEFT, frozenset())
    return keys


def leave(key: JobKey[object]) -> None:
    """Stop waiting for a job here: it ends with its last waiter. Call it from a callback only."""
    st.session_state[_LEFT] = left() | {key}
    resources.jobs().leave(key, resources.waiter())


def come_back(key: JobKey[object]) -> None:
    """Want this job again: it was asked for anew."""
    st.session_state[_LEFT] = left() - {key}


def row(job: Job[object]) -> None:
    """One running job at the side: name, what is happening, how far, cancel."""
    line = job_line(job, resources.waiter(), left())
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(gap=None):
            st.markdown(f":small[{parts.literal(line.name)}]")
            st.caption(parts.literal(line.doing))
            if line.share is not None:
                st.progress(line.share)
        if line.can_stop:
            st.button(
                f"Cancel {parts.literal(line.name)}",
                key=f"cancel_{job.key.digest}",
                icon=":material/close:",
                help="Cancel this job",
                type="tertiary",
                on_click=leave,
                args=(job.key,),
                width="content",
            )


def watch(job: Job[object]) -> None:
    """The job's card. The page is drawn anew when the job ends, here or in another tab."""
    poll_s = pace(job.age_s)
    st.fragment(_card, run_every=poll_s)(job, poll_s)


def _card(job: Job[object], poll_s: float) -> None:
    table, me = resources.jobs(), resources.waiter()
    table.touch(me)
    if job.state.ended or pace(job.age_s) != poll_s:
        st.rerun()
    if job.key not in left() or me in job.waiters:
        table.join(job.key, me)
    line = job_line(job, me, left())
    with st.container(border=True, key=f"watch_{job.key.digest}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{parts.literal(line.name)}**", width="stretch")
            if line.can_stop:
                st.button(
                    "Cancel",
                    key=f"stop_{job.key.digest}",
                    icon=":material/close:",
                    on_click=leave,
                    args=(job.key,),
                )
        st.progress(line.share or 0.0)
        st.caption(parts.literal(line.doing))
