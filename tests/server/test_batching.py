"""Texts of several requests in one call: whose they are, in which order, and who else is harmed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import BackendError, Cancelled, DeadlineExceeded
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.reranking import Stages
from rerank_lab.server.batching import CallBatches
from tests.models import tiny, tiny_lm

TINY = tiny_lm.TEXTS


class Joined(CancelToken):
    """Tells when its call has joined the queue: it is looked at first then."""

    def __init__(self) -> None:
        super().__init__()
        self.looked = threading.Event()

    @property
    def cancelled(self) -> bool:
        self.looked.set()
        return super().cancelled


class Model:
    """Doubles numbers once it may, and remembers what it computed together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = threading.Event()
        self.computing = False
        self._permits = threading.Semaphore(0)

    def let_go(self, batches: int = 10_000) -> None:
        """Let so many batches be computed."""
        self._permits.release(batches)

    def __call__(self, items: Sequence[int], ctx: Context) -> list[int]:
        self.batches.append(list(items))
        self.begun.set()
        self.computing = True
        try:
            while not self._permits.acquire(timeout=0.005):
                ctx.checkpoint()
        finally:
            self.computing = False
        if len(items) and min(items) < 0:
            raise BackendError("A number is negative.", hint="Send another.")
        return [2 * item for item in items]


class Callers:
    """Threads that call one model through batches of ten tokens, a token an item."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.model = Model()
        self._threads = threads
        self._batches = CallBatches(tokens=10)

    def call(self, items: Sequence[int], ctx: Context | None = None) -> Future[list[int]]:
        """Starts a call; back once it has joined, or leads."""
        token = Joined()
        ctx = ctx or Context(cancel=token)
        job = self._threads.submit(
            self._batches.run, "a model", items, [1] * len(items), self.model, ctx
        )
        if isinstance(ctx.cancel, Joined):
            assert ctx.cancel.looked.wait(10)
        return job

    def first(self, items: Sequence[int], ctx: Context | None = None) -> Future[list[int]]:
        """A call that leads: back once the model computes its batch."""
        job = self.call(items, ctx)
        assert self.model.begun.wait(10)
        return job


@pytest.fixture
def callers() -> Iterator[Callers]:
    with ThreadPoolExecutor(20) as threads:
        made = Callers(threads)
        try:
            yield made
        finally:
            made.model.let_go()


def test_calls_that_wait_are_computed_together_and_get_their_own_outputs(callers: Callers) -> None:
    first = callers.first([1, 2])
    others = [callers.call([10 * n, 10 * n + 1]) for n in range(1, 5)]
    callers.model.let_go()
    assert first.result(10) == [2, 4]
    assert [job.result(10) for job in others] == [[20 * n, 20 * n + 2] for n in range(1, 5)]
    assert callers.model.batches == [[1, 2], [10, 11, 20, 21, 30, 31, 40, 41]]


def test_a_long_call_leaves_room_to_those_behind_it(callers: Callers) -> None:
    first = callers.first([0])
    long = callers.call(range(100, 130))
    short = [callers.call([1]), callers.call([2])]
    callers.model.let_go()
    assert [job.result(10) for job in (first, *short)] == [[0], [2], [4]]
    assert long.result(10) == [2 * n for n in range(100, 130)]
    assert callers.model.batches[1] == [*range(100, 105), 1, 2, *range(105, 108)]
    assert all(len(batch) <= 10 for batch in callers.model.batches)


def test_a_text_larger_than_a_batch_has_one_to_itself() -> None:
    model = Model()
    model.let_go()
    outputs = CallBatches(tokens=10).run("m", [1, 2, 3], [4, 50, 4], model, Context())
    assert outputs == [2, 4, 6]
    assert [1] in model.batches
    assert [2] in model.batches


def test_a_cancelled_call_ends_alone(callers: Callers) -> None:
    token = Joined()
    leads = callers.first([1], Context(cancel=token))
    others = [callers.call([n]) for n in (2, 3)]
    gone = callers.call([4], Context(cancel=(gone_token := Joined())))
    gone_token.cancel()
    with pytest.raises(Cancelled):
        gone.result(10)
    token.cancel()
    with pytest.raises(Cancelled):
        leads.result(10)
    callers.model.let_go()
    assert [job.result(10) for job in others] == [[4], [6]]
    assert not any(4 in batch for batch in callers.model.batches)


def test_a_batch_stops_once_all_its_callers_left(callers: Callers) -> None:
    first = callers.first([1])
    tokens = [Joined(), Joined()]
    jobs = [callers.call([n], Context(cancel=token)) for n, token in enumerate(tokens, 2)]
    callers.model.let_go(1)
    assert first.result(10) == [2]
    while callers.model.batches[-1] != [2, 3]:
        time.sleep(0.001)
    tokens[0].cancel()
    time.sleep(0.03)
    assert callers.model.computing
    tokens[1].cancel()
    for job in jobs:
        with pytest.raises(Cancelled):
            job.result(10)
    after = callers.call([5])
    callers.model.let_go()
    assert after.result(10) == [10]


def test_a_deadline_holds_for_its_call_only(callers: Callers) -> None:
    first = callers.first([1])
    late = callers.call([2], Context(deadline=time.monotonic() + 0.05))
    patient = callers.call([3])
    with pytest.raises(DeadlineExceeded):
        late.result(10)
    callers.model.let_go()
    assert (first.result(10), patient.result(10)) == ([2], [6])


def test_a_text_that_makes_the_model_fail_is_the_failure_of_its_own_call(callers: Callers) -> None:
    first = callers.first([1])
    bad, good = callers.call([-1]), callers.call([5])
    callers.model.let_go()
    with pytest.raises(BackendError, match="negative"):
        bad.result(10)
    assert (first.result(10), good.result(10)) == ([2], [10])


def test_many_calls_from_many_threads_all_get_their_outputs() -> None:
    model = Model()
    model.let_go()
    batches = CallBatches(tokens=7)

    def call(n: int) -> bool:
        items = list(range(n, n + n % 9))
        outputs = batches.run(n % 2, items, [1 + i % 3 for i in items], model, Context())
        return outputs == [2 * item for item in items]

    with ThreadPoolExecutor(20) as threads:
        assert all(threads.map(call, range(1, 1500)))


class SeenBatches(CallBatches):
    """Remembers how many items went through a model together."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def run(self, key: Any, items: Any, sizes: Any, call: Any, ctx: Context) -> Any:
        def counted(some: Sequence[Any], shared: Context) -> Any:
            self.sizes.append(len(some))
            return call(some, shared)

        return super().run(key, items, sizes, counted, ctx)


def cross_encoder(folder: Path) -> str:
    path = tiny.save_cross_encoder(folder)
    return f'cross-encoder(model="{path}", backend="torch", long="max")'


def int8(_: Path) -> str:
    return "ms-marco-minilm-l12"


def decoder(folder: Path) -> str:
    path = tiny_lm.save_model(folder, "Qwen3ForCausalLM")
    return f'decoder(model="{path}", template="qwen3", device="cpu")'


def bi_encoder(folder: Path) -> str:
    return f'bi-encoder(model="{tiny.save_bi_encoder(folder)}", backend="torch")'


@pytest.mark.parametrize(
    ("spec", "tolerance"),
    [
        pytest.param(int8, 0.0, marks=pytest.mark.models),
        (cross_encoder, 1e-4),
        (decoder, 1e-4),
        (bi_encoder, 1e-4),
    ],
)
def test_scores_and_counts_are_those_of_a_request_by_itself(
    home: Path, tmp_path: Path, spec: Callable[[Path], str], tolerance: float
) -> None:
    """One text at a time (int8): to the last bit. Padded batches of torch: but for rounding."""
    (tmp_path / "m").mkdir()
    stages, engine, batches = Stages(spec(tmp_path / "m")), Engine(home), SeenBatches()
    queries = [f"{tiny_lm.QUERY} {word}" for word in ("pump", "water", "house", "noise", "winter")]
    texts = [[*TINY[n:], TINY[0] * (3 * n + 1)] for n in range(len(queries))]
    alone = [stages.rerank(q, t, Context(), engine) for q, t in zip(queries, texts, strict=True)]
    ready = threading.Barrier(len(queries))

    def together(query: str, some: Sequence[str]) -> Any:
        ready.wait()
        return stages.rerank(query, some, Context(sharing=batches), engine)

    with ThreadPoolExecutor(len(queries)) as threads:
        answers = list(threads.map(together, queries, texts))
    assert max(batches.sizes) > max(map(len, texts))
    for one, other in zip(answers, alone, strict=True):
        assert one.error is None
        scores, expected = ({hit.doc_id: hit.score for hit in r.ranking} for r in (one, other))
        assert scores == pytest.approx(expected, abs=tolerance, rel=0)
        assert one.trace.tokens_in == other.trace.tokens_in > 0
        assert one.trace.truncated == other.trace.truncated
        assert one.trace.backend == other.trace.backend
        assert 0 < one.trace.tokenise_s < one.trace.compute_s
