"""Servers of benchmarks: what they take, and their end."""

from __future__ import annotations

import socket
import subprocess

import psutil


def cpu_seconds(process: psutil.Process) -> float:
    """Processor time of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def end(server: subprocess.Popen[bytes]) -> None:
    """Stop a server and wait until it is gone."""
    server.terminate()
    server.wait(10)


def free_port() -> int:
    """A port of this machine that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
