"""ms-marco-minilm-l12 served by this project and by infinity, with the same weights, in turns.

python benchmarks/served_peers.py INFINITY [SECONDS [ROUNDS]]

INFINITY is the command `infinity_emb` of a virtual environment of its own, made for instance by
`pip install "infinity-emb[server,torch]==0.0.77" "transformers<4.49" "optimum<2" "click<8.2"`.

16 clients with 20 documents each, closed loop, one connection a client. All servers are up, and one
at a time is asked, in turns. The model is the int8 graph that is carried, written back
as fp32 safetensors, so that all can load it.

- `infinity`: its torch engine on the CPU with its defaults; `infinity fp32` with float32 instead of
  the type that it chooses, without BetterTransformer;
- `ours`: `rerank-lab serve` as it is (int8, two requests in work);
- `ours fp32`: the same in full precision by torch.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import httpx
import psutil
from _models import minilm_l12_cross_encoder, ranked_documents
from _processes import cpu_seconds, end, free_port
from _report import report
from _serving import CLIENTS, DOCUMENTS, Round, bodies_of, crowd, serving, summary

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "INFINITY_ANONYMOUS_USAGE_STATS": "0",
    "INFINITY_LOG_LEVEL": "error",
}


@contextmanager
def infinity(command: str, folder: Path, *options: str) -> Iterator[tuple[str, psutil.Process]]:
    """The address of an infinity server and its process."""
    port = free_port()
    words = [command, "v2", "--model-id", str(folder), "--served-model-name", "any"]
    words += ["--engine", "torch", "--device", "cpu", "--port", str(port), *options]
    server = subprocess.Popen(
        words, env={**os.environ, **QUIET}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            if server.poll() is not None:
                raise SystemExit(f"infinity ended with {server.returncode}: {words}")
            try:
                httpx.get(f"{address}/health").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.5)
        yield address, psutil.Process(server.pid)
    finally:
        end(server)


def order(address: str, body: dict[str, Any]) -> list[int]:
    """Which documents come first, of an answer by this server."""
    answer = httpx.post(f"{address}/rerank", json=body, timeout=120).raise_for_status().json()
    return [result["index"] for result in answer["results"]]


def versions_of(command: str) -> dict[str, str]:
    """What is installed beside infinity."""
    python = Path(command).resolve().parent / "python"
    names = ["infinity-emb", "torch", "transformers", "optimum"]
    code = "import sys, importlib.metadata as m; print(*(m.version(n) for n in sys.argv[1:]))"
    words = subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=True)
    return dict(zip(names, words.stdout.split(), strict=True))


def main() -> None:
    """Measure and print."""
    command, *numbers = sys.argv[1:]
    seconds = float(numbers[0]) if numbers else 15.0
    turns = int(numbers[1]) if len(numbers) > 1 else 3
    folder = minilm_l12_cross_encoder()
    bodies = bodies_of(*ranked_documents())
    plain = ("--dtype", "float32", "--no-bettertransformer")

    def ours(more: str = "") -> AbstractContextManager[tuple[str, psutil.Process]]:
        return serving(f'bm25 >> cross-encoder(model="{folder}"{more})', "--deadline", "600")

    arms = {
        "infinity": lambda: infinity(command, folder),
        "ours": ours,
        "infinity fp32": lambda: infinity(command, folder, *plain),
        "ours fp32": lambda: ours(',backend="torch"'),
    }
    rounds: dict[str, list[Round]] = {name: [] for name in arms}
    orders: dict[str, list[int]] = {}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(start()) for name, start in arms.items()}
        for name, (address, _) in servers.items():
            orders[name] = order(address, bodies[0])
            crowd(f"{address}/rerank", bodies, 2, 2.0)
        for _ in range(turns):
            for name, (address, process) in servers.items():
                before, begun = cpu_seconds(process), time.monotonic()
                answers = crowd(f"{address}/rerank", bodies, CLIENTS, seconds)
                took = time.monotonic() - begun
                rounds[name].append(Round(answers, took, cpu_seconds(process) - before))
                print(name, dict(answers.counts), f"{took:.0f} s", file=sys.stderr)
    figures: dict[str, Any] = {name: summary(each) for name, each in rounds.items()}
    first = {name: ranked[:5] for name, ranked in orders.items()}
    shown = {"clients": CLIENTS, "documents": DOCUMENTS, "load_average": os.getloadavg()}
    report("served_peers", {**shown, **figures, "best_five": first, "peer": versions_of(command)})


if __name__ == "__main__":
    main()
