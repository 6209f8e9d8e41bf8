"""Routers as processes of their own: started, listened to, killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

from tests.portals import ROOT, database_url

STOP_SECONDS = 15


class RouterProcess:
    """One router that can be killed, and what it said of its turns."""

    def __init__(self, mutants="", **environment):
        self.turns, self.clock = [], None
        self.is_ready = threading.Event()
        self.environment = {name: str(value) for name, value in environment.items()}
        self.errors = []
        command = [sys.executable, "-m", "tests.proofs.routing_process", *([mutants] if mutants else [])]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "DATABASE_URL": database_url(), **self.environment}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read(self):
        for line in self.process.stdout:
            began, ended, self.clock = map(float, line.split())
            self.turns.append((began, ended))
            self.is_ready.set()

    def _read_errors(self):
        self.errors.extend(self.process.stderr)

    def wait_until_ready(self, seconds=120):
        """Its first turn is over."""
        if not self.is_ready.wait(seconds):
            self.kill()
            raise AssertionError("The router did not start:\n" + "".join(self.errors))
        return self

    def wait_for_turn(self, seconds=60):
        """A whole turn, begun after this moment, is over."""
        now = time.monotonic()
        for _ in range(int(seconds * 50)):
            if any(began > now for began, _ended in list(self.turns)):
                return
            threading.Event().wait(0.02)
        raise AssertionError("The router stands still:\n" + "".join(self.errors))

    @contextmanager
    def standing_still(self):
        """The process stops in the middle of whatever it does, and goes on afterwards."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)
        for reader in self._readers:
            reader.join(STOP_SECONDS)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
