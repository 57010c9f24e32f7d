"""Servers of the installed packages, started for one command on the loopback address and stopped by their own process id.

What they hold lies in a folder of temporary files that goes with them. Nothing is written safely to disk: what is in there is worth
nothing once they have ended. A server refuses to run as root, so that its processes then belong to a user who may do little.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from heatproof.model.errors import HeatproofError

PATIENCE = 180.0
"""Seconds that a server may take until it answers: much on a busy machine."""

ATTEMPTS = 3
"""How often a server is started that ends at once: somebody else may have taken the port that was free a moment ago."""

PLACES = {
    "postgresql": (("/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres"), "postgres", "postgresql"),
    "mariadb": (("/usr/sbin/mariadbd", "/usr/libexec/mariadbd"), "mariadbd", "mariadb-server"),
}
"""Where packages put the server, what it is called on the path, and the name of Debian's package."""

DRIVERS = {"postgresql": "psycopg2", "mariadb": "pymysql"}

SETTINGS = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off", "shared_buffers": "32MB",
    "max_connections": "100", "deadlock_timeout": "1h", "listen_addresses": "127.0.0.1", "jit": "off", "logging_collector": "off",
}  # fmt: skip
"""PostgreSQL: fast rather than safe, and nothing that happens by itself."""


def program(kind: str) -> Path | None:
    """The server that is installed, the newest of several; None if there is none."""
    patterns, name, _ = PLACES[kind]
    found = [p for pattern in patterns for p in Path("/").glob(pattern.lstrip("/"))]
    if found:
        return max(found, key=lambda p: [int(n) for n in p.parts[4].split(".") if n.isdecimal()] if len(p.parts) > 5 else [])
    on_path = shutil.which(name)
    return None if on_path is None else Path(on_path)


def why_not(kind: str) -> str | None:
    """Why no server of that kind can be started here, or None."""
    if program(kind) is None:
        return f"{PLACES[kind][1]} is not installed; on Debian and Ubuntu: apt-get install {PLACES[kind][2]}"
    if find_spec(DRIVERS[kind]) is None:
        return f"its driver is not installed; pip install 'heatproof[heat,{kind}]'"
    return None


@contextmanager
def server(kind: str) -> Iterator[str]:
    """A server of that kind; its URL, with a password that nobody else knows. Raises :class:`HeatproofError` if it does not start."""
    if reason := why_not(kind):
        raise HeatproofError(f"there is no server to start: {reason}")
    binary = program(kind)
    assert binary is not None
    user = _user(kind) if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="heatproof-"))
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        who: dict[str, Any] = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        start = _postgresql if kind == "postgresql" else _mariadb
        password = secrets.token_hex(16)
        with start(binary, folder, password, who) as port:
            yield f"{'postgresql' if kind == 'postgresql' else 'mysql'}://heatproof:{password}@127.0.0.1:{port}/heatproof"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user(kind: str) -> pwd.struct_passwd:
    for name in ("postgres" if kind == "postgresql" else "mysql", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise HeatproofError("a database server does not run as root, and there is no user 'nobody' to run it as; run as another user")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _do(command: Sequence[object], who: dict[str, Any], **options: Any) -> None:
    done = subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd="/",
        **who, **options,
    )  # fmt: skip
    if done.returncode:
        raise HeatproofError(f"{command[0]} failed: {' '.join(done.stdout.split()[-60:])}")


def _ends_with_us(stop: signal.Signals) -> list[str]:
    """The words before a command that have the kernel stop it when its parent is gone, also one that was killed; none where there is no
    setpriv (of util-linux). Not done in the child after a fork: libraries of OpenStack's warn of every fork."""
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", stop.name.removeprefix("SIG")]


@contextmanager
def _running(
    command: Callable[[int], Sequence[object]], log: Path, ready: Callable[[int], bool], who: dict[str, Any], stop: signal.Signals
) -> Iterator[int]:
    """A server process on a free port until the block ends; the port. It is a session of its own, so that Ctrl-C at a terminal does not stop
    it first. Raises :class:`HeatproofError` with the end of its log if it does not come to answer."""
    for attempt in range(ATTEMPTS):
        port = _free_port()
        words = [str(part) for part in command(port)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*_ends_with_us(stop), *words], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
                start_new_session=True, **who,
            )  # fmt: skip
        try:
            last = time.monotonic() + PATIENCE
            while process.poll() is None and time.monotonic() < last and not ready(port):
                time.sleep(0.05)
            if process.poll() is None and time.monotonic() < last:
                yield port
                return
            if process.poll() is None or attempt == ATTEMPTS - 1:
                ended = (
                    f"did not answer for {PATIENCE:g} seconds" if process.poll() is None else f"ended with code {process.poll()}"
                )
                raise HeatproofError(f"{words[0]} {ended}; its log ends: {' '.join(log.read_text(errors='replace').split()[-60:])}")
        finally:
            process.send_signal(stop)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


# -------------------------------------------------------------------------------------------------------- PostgreSQL


@contextmanager
def _postgresql(binary: Path, folder: Path, password: str, who: dict[str, Any]) -> Iterator[int]:
    data, secret = folder / "data", folder / "password"
    secret.write_text(password)
    if who:
        os.chown(secret, who["user"], who["group"])
    secret.chmod(0o600)
    options = ["--auth=scram-sha-256", "--username=heatproof", f"--pwfile={secret}", "--no-sync", "--encoding=UTF8", "--locale=C"]
    _do([binary.with_name("initdb"), "--pgdata", data, *options], who)
    secret.unlink()
    settings = [f"--{name}={value}" for name, value in {**SETTINGS, "unix_socket_directories": ""}.items()]

    def command(port: int) -> list[object]:
        return [binary, "-D", data, f"--port={port}", *settings]

    def ready(port: int) -> bool:
        import psycopg2

        try:
            psycopg2.connect(host="127.0.0.1", port=port, user="heatproof", password=password, dbname="postgres").close()
        except psycopg2.Error:
            return False
        return True

    with _running(command, folder / "log", ready, who, signal.SIGINT) as port:
        import psycopg2

        connection = psycopg2.connect(host="127.0.0.1", port=port, user="heatproof", password=password, dbname="postgres")
        connection.autocommit = True
        connection.cursor().execute("CREATE DATABASE heatproof")
        connection.close()
        yield port


# ----------------------------------------------------------------------------------------------------------- MariaDB


@contextmanager
def _mariadb(binary: Path, folder: Path, password: str, who: dict[str, Any]) -> Iterator[int]:
    data, first = folder / "data", folder / "first.sql"
    installer = shutil.which("mariadb-install-db") or "/usr/bin/mariadb-install-db"
    _do(
        [installer, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db", "--force"],
        who,
    )
    first.write_text(
        "CREATE DATABASE IF NOT EXISTS heatproof;\n"
        f"CREATE USER IF NOT EXISTS heatproof@127.0.0.1 IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON *.* TO heatproof@127.0.0.1;\n"
        "ALTER USER root@localhost ACCOUNT LOCK;\n"
    )
    if who:
        os.chown(first, who["user"], who["group"])
    first.chmod(0o600)

    def command(port: int) -> list[object]:
        return [
            binary, "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}",
            f"--pid-file={folder / 'pid'}", f"--init-file={first}", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0",
            "--innodb-doublewrite=0", "--innodb-buffer-pool-size=32M", "--innodb-use-native-aio=0", "--skip-log-bin",
            "--character-set-server=utf8mb4",
        ]  # fmt: skip

    def ready(port: int) -> bool:
        import pymysql

        try:
            pymysql.connect(host="127.0.0.1", port=port, user="heatproof", password=password, database="heatproof").close()
        except pymysql.Error:
            return False
        return True

    with _running(command, folder / "log", ready, who, signal.SIGTERM) as port:
        yield port
