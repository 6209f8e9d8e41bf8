"""Servers for the live tests: Daphne and uvicorn."""

import signal
import socket
import subprocess
import sys

import pytest

from conversations import watch
from tests.portals import ROOT, START_SECONDS, Portal


class UvicornPortal(Portal):
    """The same application under another server, which ends in order and then by the signal that it was sent."""

    right_codes = (0, -signal.SIGTERM)

    def start(self):
        listening = socket.create_server(("127.0.0.1", self.port))
        environment = self.whole_environment()
        command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--fd", str(listening.fileno())]
        with listening, self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, pass_fds=[listening.fileno()], stdout=log, stderr=log
            )
        self._ask("/favicon.ico", START_SECONDS)
        return self


@pytest.fixture(params=["daphne", "uvicorn"])
def server(request, start_portal, tmp_path):
    """One running server, once of each kind."""
    if request.param == "daphne":
        yield start_portal()
        return
    portal = UvicornPortal(tmp_path).start()
    yield portal
    portal.stop()


@pytest.fixture
def by_rings_alone(monkeypatch):
    """The safety poll is off: what comes was rung for. Name it before `here`, which starts the poll."""
    monkeypatch.setattr(watch, "POLL_SECONDS", 3600)
