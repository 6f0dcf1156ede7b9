"""The API inside the app: what the environment asks for, and the one API of this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rerank_lab.core.context import LaneSlots
from rerank_lab.core.paths import app_folders, is_loopback

if TYPE_CHECKING:
    from rerank_lab.server.mounting import MountedAPI

PIPELINES = "RERANK_LAB_SERVE"
"""Specs, one a line, each under its own text as name."""
CONFIG = "RERANK_LAB_SERVE_CONFIG"
"""A file as for `rerank-lab serve --config`."""
CORPUS = "RERANK_LAB_SERVE_CORPUS"
"""What `/v1/search` searches."""
KEY_FILE = "RERANK_LAB_SERVE_KEYS"
"""A file as for `rerank-lab serve --api-key-file`."""

_current: MountedAPI | None = None


def start(
    address: str | None,
    environment: Mapping[str, str] = os.environ,
    slots: Callable[[], LaneSlots] | None = None,
) -> MountedAPI | None:
    """Make the API that the environment asks for that of this process; see `mounted`."""
    global _current
    _current = mounted(address, environment, slots)
    return _current


def mounted(
    address: str | None,
    environment: Mapping[str, str],
    slots: Callable[[], LaneSlots] | None = None,
) -> MountedAPI | None:
    """The API that the environment asks for, over this process' engine; None for none.

    Args:
        address: What the app listens on; None for every address of this machine.
        environment: Where the variables above are read.
        slots: The hold on lanes of each request; None where there are no jobs beside it.

    Raises:
        LabError: something that is to be served is not understood, or would fail here.
    """
    specs = _specs(environment)
    if not specs:
        return None
    from rerank_lab.corpora import load_corpus
    from rerank_lab.pipeline.engine import default_engine
    from rerank_lab.server.keys import ApiKeys, read_keys
    from rerank_lab.server.mounting import LOOPBACK_NAMES, ServerSettings, mounted_api

    engine = default_engine()
    engine.readable = app_folders(address)  # as for every pipeline of the app
    corpus, key_file = environment.get(CORPUS, ""), environment.get(KEY_FILE, "")
    keys = read_keys(key_file) if key_file else ApiKeys()
    # A page of another site could give its own name to this machine's address.
    hosts = LOOPBACK_NAMES if is_loopback(address) and not keys.needed else ()
    return mounted_api(
        specs,
        engine=engine,
        corpus=load_corpus(corpus) if corpus else None,
        settings=ServerSettings(keys=keys, hosts=hosts),
        slots=slots,
    )


def current() -> MountedAPI | None:
    """The API of this process; None where the app serves none."""
    return _current


def _specs(environment: Mapping[str, str]) -> dict[str, str]:
    """Specs by name that the environment asks for; {} for none. Raises InvalidInput."""
    lines = [line.strip() for line in environment.get(PIPELINES, "").splitlines()]
    specs = {line: line for line in lines if line}
    config = environment.get(CONFIG, "")
    if config:
        from rerank_lab.server.pipelines import read_config

        specs |= read_config(config)
    return specs
