"""A visitor of the app without a browser: a session over Streamlit's WebSocket.

It does what the page does: sends what its widgets hold, keeps the messages that the server may name
by their hash alone, and runs fragments again at the intervals that the server asks for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

_QUIET = 8
"""So many looks in turn at a page that does nothing, and it has all its results."""


class Visitor:
    """One session. `errors` counts exceptions shown, `runs` those of the page or a part of it."""

    def __init__(self, url: str, specs: Sequence[str]) -> None:
        self._url = url.replace("http://", "ws://") + "/_stcore/stream"
        self._query = urlencode({"p": specs}, doseq=True)
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._widgets: dict[str, str] = {}
        self._hashes: set[str] = set()
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._finished = asyncio.Event()
        self._at_work = False
        self.errors = 0
        self.bytes = 0
        self.runs = 0

    async def __aenter__(self) -> Visitor:
        self._socket = await connect(self._url, subprotocols=["streamlit"], max_size=None)
        self._reader = asyncio.create_task(self._read())
        await self._run()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._socket is not None
        assert self._reader is not None
        for poll in self._polls.values():
            poll.cancel()
        await self._socket.close()
        with suppress(ConnectionClosed):
            await self._reader

    async def ask(self, query: str) -> float:
        """Submit the form with this query; seconds until its run has ended."""
        began = time.perf_counter()
        await self._run(query)
        return time.perf_counter() - began

    async def settled(self, timeout_s: float = 120.0) -> None:
        """Wait until nothing polls: all results are there, and no job of anybody is shown."""
        end = time.monotonic() + timeout_s
        quiet = 0
        while quiet < _QUIET and time.monotonic() < end:
            await asyncio.sleep(0.1)
            # A fragment that has the page drawn anew polls no longer, and the page does not yet.
            quiet = 0 if self._polls or self._at_work else quiet + 1
        if quiet < _QUIET:
            raise TimeoutError("The page still polls.")

    @property
    def polling(self) -> bool:
        """Whether a fragment of the page runs again by itself."""
        return bool(self._polls)

    async def _run(self, query: str | None = None) -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string = self._query
        if query is not None:
            box = state.widget_states.widgets.add()
            box.id, box.string_value = self._widgets["q"], query
            press = state.widget_states.widgets.add()
            press.id, press.trigger_value = self._widgets["compare"], True
        self._finished.clear()
        await self._send(message)
        async with asyncio.timeout(120):
            await self._finished.wait()

    async def _send(self, message: BackMsg) -> None:
        assert self._socket is not None
        message.rerun_script.cached_message_hashes.extend(self._hashes)
        await self._socket.send(message.SerializeToString())

    async def _read(self) -> None:
        assert self._socket is not None
        with suppress(ConnectionClosed):
            async for data in self._socket:
                self.bytes += len(data)
                message = ForwardMsg()
                message.ParseFromString(data if isinstance(data, bytes) else data.encode())
                self._take(message)

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if message.metadata.cacheable and message.hash:
            self._hashes.add(message.hash)
        if kind == "delta":
            self._element(message.delta)
        elif kind == "new_session":
            self._at_work = True
            if not message.metadata.run.fragment_ids:
                for fragment_id in list(self._polls):
                    self._stop(fragment_id)
        elif kind == "auto_rerun":
            self._poll(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            for fragment_id in message.stop_auto_rerun.fragment_ids:
                self._stop(fragment_id)
        elif kind == "script_finished":
            self.runs += 1
            self._at_work = False
            if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                self._finished.set()

    def _element(self, delta: Any) -> None:
        element = delta.new_element
        kind = element.WhichOneof("type")
        if kind == "exception":
            self.errors += 1
        elif kind in ("text_input", "button"):
            widget_id = getattr(element, kind).id
            self._widgets[widget_id.rpartition("-")[2]] = widget_id

    def _poll(self, fragment_id: str, interval_s: float) -> None:
        self._stop(fragment_id)
        self._polls[fragment_id] = asyncio.create_task(self._repeat(fragment_id, interval_s))

    def _stop(self, fragment_id: str) -> None:
        poll = self._polls.pop(fragment_id, None)
        if poll is not None:
            poll.cancel()

    async def _repeat(self, fragment_id: str, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            message = BackMsg()
            message.rerun_script.query_string = self._query
            message.rerun_script.fragment_id = fragment_id
            message.rerun_script.is_auto_rerun = True
            await self._send(message)
