"""What the proofs about faults run on: databases and servers of their own, which may be killed."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.plugin import kind
from tests.portals import ROOT
from tests.servers import Postgres, Valkey
from tests.told import handed_out

# Limits that would only slow down what is to be shown.
GENEROUS = {
    "MESSAGES_PER_MINUTE": "100000",
    "CHATS_PER_HOUR": "1000000",
    "SIGN_INS_PER_MINUTE": "100000",
    "AGENT_GRACE_SECONDS": "3600",
    "LOG_LEVEL": "WARNING",
}
ROWS = "SELECT conversation_id, number, id, sender, agent_id, key, text FROM conversations_message ORDER BY 1, 2, 3"
LOOKS, LOOK_SECONDS = 10, 0.01
MOST_PATIENCE = 4.0
PROCESSOR_TICKS = 8  # user to steal, in /proc/stat
MOST_STOLEN = 0.75
KEY_RULES = ("one_message_per_visitor_key", "one_message_per_agent_key")


class KilledPostgres(Postgres):
    """Keeps what it committed when its processes are killed: it waits for its log, which the system then holds."""

    durability = "-c fsync=off -c synchronous_commit=on -c full_page_writes=on"

    def crash(self):
        """kill -9 of the server and of all that it started."""
        main = int((self.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        os.kill(main, signal.SIGSTOP)  # it shall start nobody between the look and the kill
        started = [pid for pid in _processes() if _parent(pid) == main]
        for pid in [main, *started]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 10
        while any(map(_is_alive, [main, *started])):
            assert time.monotonic() < end, "PostgreSQL outlived kill -9."
            time.sleep(0.01)
        # Until their parent has looked, they count as running for whoever asks by number alone.
        for lock in [self.data / "postmaster.pid", *self.folder.glob(".s.PGSQL.*.lock")]:
            lock.unlink(missing_ok=True)

    def address(self):
        return self.url()

    def connect(self):
        return psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True)

    def fetch(self, statement):
        with self.connect() as connection:
            return connection.execute(statement).fetchall()

    def run(self, statement):
        with self.connect() as connection:
            connection.execute(statement)


class SqliteFile:
    """A database in a file, with the words of the other."""

    def __init__(self, path):
        self.path = Path(path)

    def address(self):
        return f"sqlite:///{self.path}"

    def fetch(self, statement):
        with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as connection:
            return connection.execute(statement).fetchall()

    def run(self, statement):
        with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            connection.execute(statement)


def _processes():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _is_alive(pid):
    """A process that only waits for its parent's look is dead."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    return False


def _parent(pid):
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    return 0


@contextlib.contextmanager
def house(folder, count):
    """A database of the kind that this run is for, with so many talks: answers it, their cookies and the settings."""
    with contextlib.ExitStack() as stack:
        if kind() == "sqlite":
            database, redis = SqliteFile(Path(folder) / "proof.sqlite3"), {}
        else:
            database = stack.enter_context(KilledPostgres())
            redis = {"REDIS_URL": stack.enter_context(Valkey()).url()}
        yield House(database, talks_in(database, count), {**GENEROUS, **redis, "DATABASE_URL": database.address()})


@dataclass
class House:
    """What a portal stands on, and who talks there."""

    database: KilledPostgres | SqliteFile
    talks: list
    environment: dict


@contextlib.contextmanager
def running(portals):
    """Start these servers, and leave none behind."""
    try:
        for portal in portals:
            portal.start()
        yield portals
    finally:
        with contextlib.ExitStack() as stack:  # whatever is wrong with one of them, all must end
            for portal in portals:
                stack.callback(_end, portal)


def _end(portal):
    if portal.is_running:
        portal.process.send_signal(signal.SIGCONT)
        portal.kill()


def talks_in(database, count):
    """Migrate this database and fill it with talks; answers their cookies."""
    environment = {**os.environ, "DATABASE_URL": database.address()}
    environment.pop("REDIS_URL", None) if isinstance(database, SqliteFile) else None
    run = {"cwd": ROOT, "env": environment, "check": True, "stdout": subprocess.PIPE, "text": True}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], **run)
    command = [sys.executable, "-m", "tests.benchmarks.world", str(count)]
    talks = json.loads(subprocess.run(command, **run).stdout)
    handed_out.update(talk[who].partition("=")[2] for talk in talks for who in ("visitor", "agent"))
    return talks


def without_key_rules(database):
    """Drop what the database itself says against a second message under one key."""
    for rule in KEY_RULES:
        database.run(f"DROP INDEX {rule}")


def memory_of(process):
    """
    The bytes that a process really occupies for itself.

    What it has mapped of the database's file is the system's to keep or to drop, and counts once for each connection.
    """
    for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("The process has ended.")


class Others:
    """What others leave of this machine, told before a proof runs: what the proof itself does is no excuse."""

    patience = 1.0
    ticks = (0,) * PROCESSOR_TICKS

    @classmethod
    def look(cls):
        """Count a few times who wants a processor besides this process; what was stolen lately counts too."""
        wanting = []
        for _ in range(LOOKS):
            time.sleep(LOOK_SECONDS)
            wanting.append(int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0]) - 1)
        processors = os.cpu_count() or 1
        share_left = 1 - min(cls._stolen_share(), MOST_STOLEN)
        cls.patience = min(MOST_PATIENCE, (processors + sum(wanting) / LOOKS) / processors / share_left)

    @classmethod
    def _stolen_share(cls):
        """How much of what this machine wanted of its processors the one that it runs on gave to others."""
        now = tuple(map(int, Path("/proc/stat").read_text(encoding="ascii").split()[1 : 1 + PROCESSOR_TICKS]))
        _user, _nice, _system, idle, waiting, *_interrupts, stolen = spent = [
            after - before for after, before in zip(now, cls.ticks, strict=True)
        ]
        cls.ticks = now
        return stolen / max(1, sum(spent) - idle - waiting)


def patience():
    """How much longer things may take because others used this machine when the test began."""
    return Others.patience
