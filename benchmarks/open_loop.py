"""The open-loop load generator against queues that are solved: M/D/1 and M/M/1, in real time.

    python benchmarks/open_loop.py [seconds] [service in ms]

A server in a process of its own answers one request at a time, each after a service time that both
sides know: the same for all (M/D/1), or exponential (M/M/1). Queries arrive at random (Poisson) at
50 to 90 % of what it can take; the mean wait is measured from the moment a query is due.

Pollaczek and Khinchine give the mean wait of endless runs. One run of a minute scatters widely
about it at 90 % load (by 15 to 20 %), whoever measures. So each wait is compared with that worked
out for the very same arrivals and service times (Lindley's recursion): `error`. That difference
added to the theory is `wait_ms`, what the generator says of an endless run; `error_to_theory` is
how far that is off. The round trip to an idle server is taken off.

Other work on the machine holds up both sides: free workers begin late, and the server answers later
than it meant to. Both are seen without looking at the waits. A run that they held up by more than
0.1 ms a query is made again, up to six times; `tries` counts them.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab.evaluation.load.arrivals import schedule
from rerank_lab.evaluation.load.generator import Answer, drive
from rerank_lab.evaluation.load.queueing import latencies

sys.path.insert(0, os.path.dirname(__file__))
from _report import report

SECONDS, SERVICE_MS, WORKERS = 40.0, 5.0, 128
HELD_UP_MS, TRIES = 0.1, 6
LOADS, KINDS = (0.5, 0.7, 0.8, 0.9), ("M/D/1", "M/M/1")
SERVER = """
import socket, struct, sys, time
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
server.bind(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
free = time.perf_counter()
while True:
    server.setblocking(False)
    try:
        data, client = server.recvfrom(64)
        begin = free  # it waited in the queue: the last answer's end is its beginning
    except BlockingIOError:
        server.setblocking(True)
        data, client = server.recvfrom(64)
        begin = time.perf_counter()
    (seconds,) = struct.unpack("d", data)
    free = begin + seconds
    while (left := free - time.perf_counter()) > 0:
        if left > 0.0005:
            time.sleep(left - 0.0004)
    late = time.perf_counter() - free
    server.sendto(struct.pack("d", late), client)
"""
_sockets = threading.local()


def ask(port: int, seconds: float) -> float:
    """One request that takes so long; how many seconds later the server answered than it meant."""
    if not hasattr(_sockets, "socket"):
        _sockets.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        _sockets.socket.settimeout(60)
    _sockets.socket.sendto(struct.pack("d", seconds), ("127.0.0.1", port))
    (late,) = struct.unpack("d", _sockets.socket.recv(64))
    return float(late)


def driven(port: int, moments: NDArray[np.float64], service: NDArray[np.float64]) -> Any:
    """Latencies in seconds, and by how much a query was held up on average."""
    overruns = []

    def call(index: int) -> Answer:
        overruns.append(ask(port, float(service[index])))
        return Answer(True)

    calls = drive(call, [float(m) for m in moments], WORKERS, grace_s=60)
    ended = np.array([one.ended for one in calls], dtype=np.float64)
    late = [(one.started or 0.0) - one.due for one in calls]
    return ended - moments, float(np.mean(late) + np.mean(overruns))


def measured(port: int, kind: str, load: float, seconds: float, mean_s: float) -> dict[str, Any]:
    """The mean wait of one queue at one load."""
    moments = schedule(load / mean_s, seconds, "poisson", seed=11)
    deterministic = kind == "M/D/1"
    generator = np.random.default_rng(12)
    count = len(moments)
    service = np.full(count, mean_s) if deterministic else generator.exponential(mean_s, count)
    idle, _ = driven(port, np.arange(100) * 3 * mean_s, np.full(100, mean_s))
    round_trip = float(np.quantile(idle, 0.25)) - mean_s  # what else runs here adds to some of them
    seconds_each, held_up = driven(port, moments, service)
    settled = count // 20
    wait = float((seconds_each - service)[settled:].mean()) - round_trip
    exact = float((latencies(moments, service, 1) - service)[settled:].mean())
    theory = load * mean_s * (1 if deterministic else 2) / (2 * (1 - load))
    return {
        "queue": kind,
        "load": load,
        "queries": count,
        "theory_ms": 1000 * theory,
        "wait_ms": 1000 * (theory + wait - exact),
        "error_to_theory": (wait - exact) / theory,
        "this_run_ms": 1000 * wait,
        "worked_out_ms": 1000 * exact,
        "error": wait / exact - 1,
        "round_trip_ms": 1000 * round_trip,
        "held_up_ms": 1000 * held_up,
    }


def undisturbed(port: int, kind: str, load: float, seconds: float, mean_s: float) -> dict[str, Any]:
    """The first of a few runs that nothing else held up, or the last one."""
    for tries in range(1, TRIES + 1):
        row = measured(port, kind, load, seconds, mean_s) | {"tries": tries}
        if row["held_up_ms"] <= HELD_UP_MS:
            break
    return row


def main(arguments: list[str]) -> None:
    seconds = float(arguments[0]) if arguments else SECONDS
    mean_s = (float(arguments[1]) if len(arguments) > 1 else SERVICE_MS) / 1000
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            rows = [
                undisturbed(port, kind, load, seconds, mean_s)
                for kind, load in product(KINDS, LOADS)
            ]
        finally:
            server.terminate()
    worst = max(abs(row["error_to_theory"]) for row in rows)
    figures = {"rows": rows, "worst_error_to_theory": worst, "within_5_percent": worst <= 0.05}
    report("open_loop", figures | {"load_average": os.getloadavg()[0]})


if __name__ == "__main__":
    main(sys.argv[1:])
