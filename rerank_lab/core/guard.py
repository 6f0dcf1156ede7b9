"""The last resort: any exception from a component, a library or the disk as a LabError."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rerank_lab.core.errors import BackendError, Cancelled, LabError
from rerank_lab.core.paths import data_home
from rerank_lab.core.storage import is_disk_error, storage_error


@contextmanager
def lab_errors(what: str) -> Iterator[None]:
    """Turn any other exception into a LabError whose message begins with `what`."""
    try:
        yield
    except LabError:
        raise
    except KeyboardInterrupt:
        raise Cancelled from None
    except MemoryError as error:
        raise BackendError(
            f"{what} ran out of memory.", hint="Use a smaller model, corpus or batch."
        ) from error
    except SystemExit as error:
        raise BackendError(
            f"{what} tried to end the program (exit code {error.code}).",
            hint="Update or remove the package that provides it.",
            details=traceback.format_exc(),
        ) from error
    except OSError as error:
        if not is_disk_error(error):
            raise _unexpected(what, error) from error
        raise storage_error(Path(error.filename or data_home() / "?"), error) from error
    except Exception as error:
        raise _unexpected(what, error) from error


def _unexpected(what: str, error: Exception) -> BackendError:
    return BackendError(
        f"{what} failed: {type(error).__name__}: {error}",
        hint="See the details; another component may do, and the defect is worth reporting.",
        details=traceback.format_exc(),
    )
