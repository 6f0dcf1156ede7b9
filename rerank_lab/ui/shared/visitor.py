"""This browser session as the services know it."""

from __future__ import annotations

from rerank_lab.services.session import Session
from rerank_lab.ui.shared import keys, resources, spending


def session() -> Session:
    """Engine and job table of the process, with keys and spend meter of this session."""
    return Session(
        resources.engine(),
        resources.jobs(),
        resources.waiter(),
        secrets=keys.secrets(),
        key_version=keys.version(),
        distrusted_hosts=keys.strangers(),
        spend=spending.meter(),
    )
