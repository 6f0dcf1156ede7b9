"""Watching a job on a page: progress and cancel while it works, one rerun when it has ended."""

from __future__ import annotations

from hashlib import sha256

import streamlit as st

from rerank_lab.jobs import Job
from rerank_lab.ui import parts, resources

POLL_S = 0.5


def short_key(text: str) -> str:
    """A widget key for any text: 10 hexadecimal digits."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def first_time(job: Job) -> bool:
    """True once a session for a job that has ended: the moment to take its result in."""
    seen = st.session_state.setdefault("jobs_taken_in", [])
    if not job.state.ended or job.key in seen:
        return False
    seen.append(job.key)
    del seen[:-100]
    return True


def watch(job: Job) -> None:
    """The job's card. The page is drawn anew when the job ends, here or in another tab."""
    st.fragment(_card, run_every=POLL_S)(job)


def _card(job: Job) -> None:
    resources.jobs().touch(resources.waiter())
    if job.state.ended:
        st.rerun()
    progress = job.progress
    with st.container(border=True, key=f"watch_{short_key(job.key)}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{parts.literal(job.name)}**", width="stretch")
            st.button(
                "Cancel",
                key=f"stop_{short_key(job.key)}",
                icon=":material/close:",
                on_click=resources.jobs().cancel,
                args=(job.key,),
            )
        share = min(1.0, progress.done / progress.total) if progress.total else 0.0
        st.progress(share)
        st.caption(parts.progress_line(job))
