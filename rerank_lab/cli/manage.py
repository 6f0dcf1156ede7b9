"""`rerank-lab corpora`, `models` and `app`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rerank_lab.cli.output import Output, cut
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, MissingExtra
from rerank_lab.core.paths import project_home
from rerank_lab.views.formatting import document_counts, origin_sentence

_READINGS_SHOWN = 10


def corpora(arguments: argparse.Namespace, output: Output) -> int:
    """List, import, connect, preview or delete."""
    if arguments.action in ("connect", "preview"):
        from rerank_lab.cli.live_corpora import connect, preview

        return (connect if arguments.action == "connect" else preview)(arguments, output)
    if arguments.action == "import":
        return _import(arguments, output)
    if arguments.action == "changes":
        return _changes(arguments, output)
    if arguments.action == "delete":
        return _delete(arguments, output)
    from rerank_lab.corpora import list_corpora

    entries = list_corpora()
    if output.as_json:
        names = ("name", "kind", "documents", "queries", "judgments", "error")
        listed = [
            {name: getattr(entry, name) for name in names} | {"languages": list(entry.languages)}
            for entry in entries
        ]
        output.json({"corpora": listed})
        return 0
    rows = [
        [
            entry.name,
            entry.kind,
            "–" if entry.documents is None else f"{entry.documents:,}",
            f"{entry.queries:,}",
            f"{entry.judgments:,}",
            ", ".join(entry.languages),
            entry.error,
        ]
        for entry in entries
    ]
    heads = ["corpus", "kind", "documents", "queries", "judgments", "languages", ""]
    output.table([heads, *rows], right=[2, 3, 4])
    return 0


def _import(arguments: argparse.Namespace, output: Output) -> int:
    from rerank_lab.cli.reading import print_problems, read_options
    from rerank_lab.corpora import ImportOptions, PassageOptions
    from rerank_lab.corpora.limits import LOCAL_LIMITS
    from rerank_lab.services.corpora import ImportRequest, run_import

    tokens = arguments.passages
    passages = PassageOptions(tokens, overlap=min(32, tokens // 4)) if tokens else None
    files = read_options(arguments, "corpus", "queries", "qrels")
    options = ImportOptions(
        format=files["corpus"].format,
        encoding=files["corpus"].encoding,
        columns=files["corpus"].columns,
        queries=files["queries"],
        qrels=files["qrels"],
        passages=passages,
        replace=arguments.replace,
        strict=arguments.strict,
        limits=LOCAL_LIMITS,
    )
    request = ImportRequest(
        arguments.path,
        arguments.name,
        queries=arguments.queries or None,
        qrels=arguments.qrels or None,
        options=options,
    )
    report = run_import(request, Context(progress=output.progress))
    if output.as_json:
        output.json(report.to_json())
        return 0
    for reading in report.readings[:_READINGS_SHOWN]:
        output.line(f"{reading.file}: {reading.sentence}")
    if len(report.readings) > _READINGS_SHOWN:
        output.line(f"... and {len(report.readings) - _READINGS_SHOWN:,} files more")
    for judged in report.judged_readings:
        output.line(judged.sentence)
    if report.origin is not None:
        output.line(origin_sentence(report.origin))
    output.line(
        f"{report.name}: {document_counts(report.documents, report.passages)} kept, "
        f"{report.skipped:,} rows skipped, "
        f"{report.queries:,} queries, {report.judgments:,} judgments"
    )
    print_problems(report.problems, output)
    output.line(f'next: rerank-lab rank "{report.name}" "your query" -p bm25')
    return 0


def _changes(arguments: argparse.Namespace, output: Output) -> int:
    from rerank_lab.services.corpora import changes_since_import

    changes = changes_since_import(arguments.name, Context(progress=output.progress))
    if output.as_json:
        output.json(asdict(changes))
        return 0
    for what in ("changed", "added", "removed"):
        names = getattr(changes, what)
        for name in names[:_READINGS_SHOWN]:
            output.line(f"{what}: {name}")
        if len(names) > _READINGS_SHOWN:
            output.line(f"... and {len(names) - _READINGS_SHOWN:,} files more {what}")
    if not changes.any:
        output.line(f"Nothing has changed at {changes.address} since it was imported.")
    return 0


def _delete(arguments: argparse.Namespace, output: Output) -> int:
    from rerank_lab.services.corpora import delete

    delete(arguments.name)
    if output.as_json:
        output.json({"deleted": arguments.name})
    else:
        output.line(f"Deleted {arguments.name}.")
    return 0


def models(arguments: argparse.Namespace, output: Output) -> int:
    """What there is, and what can run here now."""
    from rerank_lab.components.base import KINDS
    from rerank_lab.components.registry import Broken, infos

    rows = _model_rows()
    installed = [one for kind in KINDS for one in infos(kind)]
    if output.as_json:
        components = [
            {"name": one.name, "kind": one.kind, "error": one.error}
            if isinstance(one, Broken)
            else {
                "name": one.name,
                "kind": one.kind,
                "family": one.family,
                "summary": one.summary,
                "scale": one.scale,
                "options": {param.name: param.default for param in one.params},
                "error": "",
            }
            for one in installed
        ]
        output.json({"models": rows, "components": components})
        return 0
    heads = ["model", "state", "use as", "size", "licence", "languages", "what to do"]
    table = [
        [
            row["name"],
            row["state"],
            " ".join(row["roles"]),
            f"{row['size'] / 1e6:,.0f} MB" if row["size"] else "",
            row["licence"],
            cut(" ".join(row["languages"]), 24),
            "" if row["state"] == "ready" else row["hint"],
        ]
        for row in rows
    ]
    output.table([heads, *table], right=[3])
    output.line()
    lines = [
        [one.name, one.kind, f"cannot be loaded: {one.error}"]
        if isinstance(one, Broken)
        else [one.name, one.kind, one.summary]
        for one in installed
    ]
    output.table([["component", "kind", ""], *lines])
    return 0


def _model_rows() -> list[dict[str, Any]]:
    from rerank_lab.components.catalogue import catalogue
    from rerank_lab.services.models import model_states

    rows: list[dict[str, Any]] = []
    for name, here in model_states().items():
        model = catalogue()[name]
        rows.append(
            {
                "name": name,
                "title": model.title,
                "state": here.state,
                "where": here.where,
                "reason": here.reason,
                "hint": here.hint,
                "roles": [kind for kind in ("retriever", "reranker") if model.component(kind)],
                "size": here.size or model.size,
                "licence": model.licence,
                "languages": list(model.languages),
                "max_length": model.max_length,
                "note": model.note,
            }
        )
    return rows


def app(arguments: argparse.Namespace, output: Output) -> int:
    """Start streamlit on the project's app.py."""
    import importlib.util

    script = app_script()
    if not script.is_file():
        raise InvalidInput(
            f"The app's start file {script.name} did not come with the package.",
            hint="Install it again: pip install --force-reinstall --no-deps rerank-lab",
        )
    if importlib.util.find_spec("streamlit") is None:
        raise MissingExtra(
            "The app needs streamlit.", hint="Install it with: pip install rerank-lab"
        )
    command = [sys.executable, "-m", "streamlit", "run", str(script), *arguments.rest]
    os.environ.update(_served(arguments))
    output.finish()
    os.chdir(script.parent)  # the app's settings and theme are read from there
    if os.name == "posix":  # this process becomes the server, so that signals reach it
        os.execv(sys.executable, command)
    return subprocess.run(command, check=False).returncode


def _served(arguments: argparse.Namespace) -> dict[str, str]:
    """The variables that make the app serve pipelines, once it is known that they can be."""
    from rerank_lab.server import in_app

    variables = {in_app.PIPELINES: "\n".join(" ".join(spec.split()) for spec in arguments.serve)}
    for name, path in (
        (in_app.CONFIG, arguments.serve_config),
        (in_app.KEY_FILE, arguments.api_key_file),
        (in_app.CORPUS, arguments.serve_corpus),
    ):  # the app runs in another folder
        variables[name] = str(Path(path).absolute()) if Path(path).is_file() else path
    variables = {name: value for name, value in variables.items() if value}
    if variables and in_app.mounted("localhost", variables) is None:
        raise InvalidInput(
            "There is nothing to serve.", hint='Add --serve SPEC, such as "bm25 >> overlap".'
        )
    return variables


def app_script() -> Path:
    """The file that streamlit starts."""
    return project_home() / "app.py"
