"""Routers as processes of their own: started, listened to, killed."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

from tests.portals import ROOT, database_url

STOP_SECONDS = 15
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def start(arguments, files, environment, **more):
    """The program of tests/proofs/routing_process.py, on the test's database."""
    command = [sys.executable, "-m", "tests.proofs.routing_process", *arguments.split()]
    environment = {name: str(value) for name, value in environment.items()}
    environment = {**os.environ, "DATABASE_URL": database_url(), **environment}
    return subprocess.Popen(command, cwd=ROOT, text=True, env=environment, **files, **more)


class RouterProcess:
    """One router that can be killed, and what it said of its turns."""

    def __init__(self, mutants="", *, nursery=None, **environment):
        self.turns, self.sweeps, self.clock, self.found = [], [], None, []
        self.is_ready = threading.Event()
        self.errors, self.ended_by_itself = [], False
        self.process = nursery.bear() if nursery else start(mutants, PIPES, environment)
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read(self):
        for line in self.process.stdout:
            what, *values = line.split()
            if what == "found":
                at, act, *ids = values
                self.found.append((float(at), act, set(map(int, ids))))
                continue
            if len(values) < 4:
                continue  # it was killed in the middle of a word
            began, ended, self.clock, is_sweep = map(float, values)
            self.turns.append((began, ended))
            if is_sweep:
                self.sweeps.append((began, ended))
            self.is_ready.set()

    def _read_errors(self):
        self.errors.extend(self.process.stderr)

    def wait_until_ready(self, seconds=120):
        """Its first turn is over."""
        end = time.monotonic() + seconds
        while not self.is_ready.wait(0.05):
            if time.monotonic() > end or self.process.poll() is not None:
                self.kill()
                raise AssertionError("The router did not start:\n" + "".join(self.errors))
        return self

    def wait_for_sweep(self, seconds=60):
        """A whole look at the deadlines, begun after this moment, is over."""
        now = time.monotonic()
        for _ in range(int(seconds * 50)):
            if any(began > now for began, _ended in list(self.sweeps)):
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
        self.ended_by_itself = self.process.poll() is not None
        self.process.kill()
        self.process.wait(STOP_SECONDS)
        for reader in self._readers:
            reader.join(STOP_SECONDS)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def faults(self):
        """What went wrong in it, as far as it said so; complete once it was killed."""
        if self.ended_by_itself:
            yield "A router ended by itself."
        if any("Traceback" in line for line in self.errors):
            yield "A router had a fault:\n" + "".join(self.errors)


class Nursery:
    """A process that has read the product and did nothing yet; a router born of it is at work at once."""

    def __init__(self, mutants="", **environment):
        self._here, there = socket.socketpair()
        with there:
            arguments = f"--nursery={there.fileno()} {mutants}"
            self.process = start(arguments, {}, environment, pass_fds=[there.fileno()])

    def bear(self):
        """A new process with pipes of its own."""
        pipes = [os.pipe() for _ in range(3)]
        (its_in, stdin), (stdout, its_out), (stderr, its_err) = pipes
        socket.send_fds(self._here, [b"."], [its_in, its_out, its_err])
        pid = int(self._here.recv(100))
        for its in (its_in, its_out, its_err):
            os.close(its)
        return Child(pid, open(stdin, "w"), open(stdout), open(stderr))  # noqa: SIM115 - closed with the router

    def close(self):
        self._here.close()
        self.process.wait(STOP_SECONDS)


class Child:
    """A process that was not started here, with the words of one that was."""

    def __init__(self, pid, stdin, stdout, stderr):
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self._handle, self._has_ended = os.pidfd_open(pid), False

    def poll(self):
        """Something else than None once it has ended."""
        return 0 if self._has_ended or select.select([self._handle], [], [], 0)[0] else None

    def send_signal(self, which):
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, which)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def wait(self, seconds):
        if not self._has_ended:
            assert select.select([self._handle], [], [], seconds)[0], "It outlived kill -9."
            self._has_ended = True
            os.close(self._handle)
