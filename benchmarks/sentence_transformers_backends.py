"""sentence-transformers' own OpenVINO and ONNX backends beside ours, each really run.

    python benchmarks/sentence_transformers_backends.py [--openvino PYTHON] [--onnx PYTHON]

optimum-intel and optimum-onnx need other versions of transformers than this project, so that each
backend runs in a virtual environment of its own, whose interpreter is given:

    python -m venv ov && ov/bin/pip install "sentence-transformers[openvino]" torch==2.13.0
    python -m venv ort && ort/bin/pip install "sentence-transformers[onnx]" torch==2.13.0

There, a `CrossEncoder` is exported, quantised as its documentation says (OpenVINO: NNCF's static
int8, calibrated on these candidates; ONNX: dynamic int8 for AVX512-VNNI), and scores the candidates
of `rerank_speed.py` in batches of 8 and of 32, texts sorted by length, which `predict` does by
itself. Every process stays open and answers in turns, so that all arms meet the same machine;
printed are medians of processor seconds of each process, and Kendall's tau to full precision.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from _models import minilm_l6_cross_encoder
from _report import report
from rerank_speed import candidates

from rerank_lab.models.convert.precision import compare

BATCHES = (8, 32)
ARMS = {
    "torch": ("torch fp32",),
    "openvino": ("openvino", "openvino int8"),
    "onnx": ("onnx", "onnx int8"),
}
PEER = """
import importlib.metadata, json, os, sys, time, warnings
warnings.simplefilter("ignore")
answers, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
folder, work, arms = sys.argv[1], sys.argv[2], sys.argv[3:]
job = json.load(open(f"{work}/job.json"))
pairs = [(job["query"], text) for text in job["texts"]]
import torch
from sentence_transformers import CrossEncoder
models = {}
for arm in arms:
    if arm == "torch fp32":
        models[arm] = CrossEncoder(folder, device="cpu")
    elif arm == "openvino":
        models[arm] = CrossEncoder(folder, device="cpu", backend="openvino")
    elif arm == "onnx":
        models[arm] = CrossEncoder(folder, device="cpu", backend="onnx",
                                   model_kwargs={"export": True})
    elif arm == "onnx int8":
        from sentence_transformers import export_dynamic_quantized_onnx_model as quantise
        plain = CrossEncoder(folder, device="cpu", backend="onnx", model_kwargs={"export": True})
        target = f"{work}/onnx-int8"
        plain.save_pretrained(target)
        quantise(plain, "avx512_vnni", target)
        models[arm] = CrossEncoder(target, device="cpu", backend="onnx",
            model_kwargs={"file_name": "onnx/model_qint8_avx512_vnni.onnx"})
    elif arm == "openvino int8":
        import nncf
        plain = CrossEncoder(folder, device="cpu", backend="openvino")
        network = plain.model if hasattr(plain.model, "request") else plain[0].model
        tokens = plain.tokenizer
        feeds = [dict(tokens([query], [text], return_tensors="np", truncation=True))
                 for query, text in pairs[:40]]
        names = {name for value in network.model.inputs for name in value.get_names()}
        feeds = [{k: v for k, v in feed.items() if k in names} for feed in feeds]
        network.model = nncf.quantize(network.model, nncf.Dataset(feeds), subset_size=40,
                                      model_type=nncf.ModelType.TRANSFORMER)
        network.request = network.compiled_model = None
        network.compile()
        models[arm] = plain
packages = ("sentence-transformers", "transformers", "torch", "openvino", "nncf", "optimum-intel",
            "optimum-onnx", "onnxruntime")
versions = {}
for package in packages:
    try:
        versions[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(versions), file=answers, flush=True)
for line in sys.stdin:
    arm, batch = json.loads(line)
    before = time.process_time()
    scores = models[arm].predict(pairs, batch_size=batch, activation_fn=torch.nn.Identity())
    spent = time.process_time() - before
    print(json.dumps([spent, [float(score) for score in scores]]), file=answers, flush=True)
"""
OURS = """
import json, os, sys, time
answers, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
folder, work = sys.argv[1:3]
job = json.load(open(f"{work}/job.json"))
from rerank_lab.core.context import Context
from rerank_lab.models import open_scorer
scorer = open_scorer(folder, Context())
print("{}", file=answers, flush=True)
for line in sys.stdin:
    before = time.process_time()
    scores = scorer.score(job["query"], job["texts"], Context())
    print(json.dumps([time.process_time() - before, scores]), file=answers, flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--openvino", help="interpreter with sentence-transformers[openvino]")
    parser.add_argument("--onnx", help="interpreter with sentence-transformers[onnx]")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    query, texts = candidates()
    folder = str(minilm_l6_cross_encoder())
    pythons = {"torch": sys.executable, "openvino": arguments.openvino, "onnx": arguments.onnx}
    with tempfile.TemporaryDirectory() as work, ExitStack() as stack:
        (Path(work) / "job.json").write_text(json.dumps({"query": query, "texts": texts}))
        enter = stack.enter_context
        ours = enter(_process([sys.executable, "-c", OURS, folder, work]))
        turns: list[tuple[str, Any, tuple[str, int]]] = [("rerank lab int8", ours, ("ours", 0))]
        versions = {}
        for backend, python in pythons.items():
            if python:
                command = [python, "-c", PEER, folder, work, *ARMS[backend]]
                peer = enter(_process(command))
                versions[backend] = peer[1]
                turns += [
                    (f"{arm}, batches of {batch}", peer, (arm, batch))
                    for arm in ARMS[backend]
                    for batch in BATCHES
                ]
        report("sentence_transformers_backends", _measured(turns, arguments.rounds) | versions)


def _measured(turns: list[tuple[str, Any, tuple[str, int]]], rounds: int) -> dict[str, Any]:
    spent: dict[str, list[float]] = {name: [] for name, _, _ in turns}
    scores: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for name, (pipe, _), question in turns:
            seconds, scores[name] = _answer(pipe, question)
            if number:  # the first round warms up
                spent[name].append(seconds)
    ours, exact = spent[turns[0][0]], scores["torch fp32, batches of 32"]
    return {
        name: {
            "processor_seconds": statistics.median(times),
            "multiple_of_ours": statistics.median(
                t / mine for t, mine in zip(times, ours, strict=True)
            ),
            "kendall_tau": compare([scores[name]], [exact])[0],
        }
        for name, times in spent.items()
    }


@contextmanager
def _process(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A process that has its models loaded, and the versions that it told."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            if not first:
                errors.seek(0)
                raise SystemExit(errors.read())
            yield process, json.loads(first)
        finally:
            process.kill()
            process.wait()


def _answer(process: subprocess.Popen[str], question: tuple[str, int]) -> tuple[float, list[float]]:
    pipe: IO[str] | None = process.stdin
    assert pipe is not None
    assert process.stdout is not None
    pipe.write(json.dumps(question) + "\n")
    pipe.flush()
    seconds, scores = json.loads(process.stdout.readline())
    return float(seconds), scores


if __name__ == "__main__":
    main()
