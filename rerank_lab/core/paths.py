"""Where things are kept: one data folder, `RERANK_LAB_HOME` or the platform's own place for it."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
from collections.abc import Sequence
from pathlib import Path

from rerank_lab.core.errors import InvalidInput

HOME_VARIABLE = "RERANK_LAB_HOME"
FOLDERS_VARIABLE = "RERANK_LAB_FOLDERS"
_STILL_A_PATH = (errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ELOOP)
_DRIVE = re.compile(r"[A-Za-z]:[\\\\/]")


def data_home() -> Path:
    """The data folder (not created here): corpora, indexes, models, experiments, scores."""
    folder = os.environ.get(HOME_VARIABLE, "").strip()
    if folder:
        return Path(folder).expanduser().absolute()
    from platformdirs import user_data_path

    return Path(user_data_path("rerank-lab"))


def user_path(value: str | Path) -> Path:
    """The place that somebody names, there or not, with `~` expanded.

    Raises InvalidInput for what no file can be called here: too long, with a zero byte, or in the
    home of a user who does not exist.
    """
    try:
        path = Path(value).expanduser()
        path.stat()
    except FileNotFoundError:
        return path
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno in _STILL_A_PATH:
            return path
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(
            f"{str(value)[:80]!r} cannot be the name of a file here: {reason}.",
            hint="Check the path.",
        ) from None
    return path


def project_home() -> Path:
    """The folder of what comes beside the package: app, pages, sample corpora.

    The clone that the package was installed from in place, else where the wheel put them.
    """
    beside = Path(__file__).resolve().parents[2]
    if (beside / "app.py").is_file():
        return beside
    from importlib.metadata import distribution

    for file in distribution("rerank-lab").files or ():
        if file.as_posix().endswith("share/rerank-lab/app.py"):
            return Path(str(file.locate())).resolve().parent
    return beside


def samples_home() -> Path:
    """The folder of the sample corpora that come with the project."""
    return project_home() / "sample_corpora"


def app_folders(address: str | None) -> tuple[Path, ...]:
    """The folders whose files a pipeline of the app may name, when it listens on `address`.

    The data folder always; besides it those of `RERANK_LAB_FOLDERS`, or when that is not set and
    only this machine can reach the app, its user's home and the folder it was started in.
    """
    folders = os.environ.get(FOLDERS_VARIABLE, "").strip()
    if folders:
        more = [Path(part).expanduser() for part in folders.split(os.pathsep) if part.strip()]
    elif is_loopback(address):
        more = [Path.home(), Path.cwd()]
    else:
        more = []
    return tuple(dict.fromkeys(folder.resolve() for folder in (data_home(), *more)))


def is_loopback(address: str | None) -> bool:
    """Whether only this machine reaches what listens on `address`; None is every address."""
    try:
        return address == "localhost" or ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def names_a_path(value: str) -> bool:
    """Whether a value stands for a place on this machine, there or not, rather than for a name."""
    written_so = value.startswith(("/", "\\", "~", ".")) or _DRIVE.match(value) is not None
    try:
        return bool(value) and (written_so or Path(value).exists())
    except (OSError, ValueError):
        return written_so


def is_within(value: str, folders: Sequence[Path]) -> bool:
    """Whether the place that a value names, links followed, lies in one of these folders."""
    try:
        place = Path(value).expanduser().resolve()
    except (OSError, ValueError, RuntimeError):
        return False
    return any(place.is_relative_to(folder) for folder in folders)
