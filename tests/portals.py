"""The real server as a process of its own, on the test's database: what live and browser tests talk to."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from django.db import connection

from tests.told import told_by

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 90
STOP_SECONDS = 15


def database_url():
    """The test database's address, for another process."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    return f"postgresql://{settings['USER']}@/{settings['HOST']}/{settings['NAME']}"


class Portal:
    """One `manage.py serve` on a socket that is bound here, so that no port is raced for."""

    program = (str(ROOT / "manage.py"),)
    right_codes = (0,)

    def __init__(self, folder, **environment):
        self.log_file = Path(folder) / "serve.log"
        self.environment = {name: str(value) for name, value in environment.items()}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = None
        self.database = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self):
        return f"ws://127.0.0.1:{self.port}"

    def start(self):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen(2048)
        environment = self.whole_environment()
        command = [sys.executable, "-W", "default", *self.program, "serve", "--fd", str(listening.fileno())]
        with listening, self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, pass_fds=[listening.fileno()], stdout=log, stderr=log
            )
        # The child holds the socket now: this waits in its line until the server answers.
        self._ask("/favicon.ico", START_SECONDS)
        return self

    def whole_environment(self):
        """What the process is given; its database is the test's own, unless the test says otherwise."""
        self.database = self.environment.get("DATABASE_URL") or database_url()
        environment = {**os.environ, "LOG_LEVEL": "INFO", **self.environment, "DATABASE_URL": self.database}
        environment.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)
        return environment

    def get(self, path):
        """The status of a plain request."""
        return self._ask(path)[0]

    def read(self, path):
        """The page that a plain request gets."""
        return self._ask(path)[1]

    def _ask(self, path, timeout=20):
        try:
            with urllib.request.urlopen(self.url + path, timeout=timeout) as response:
                return response.status, response.read().decode(errors="replace")
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read().decode(errors="replace")
        except OSError as problem:
            raise AssertionError(f"The portal does not answer: {problem}\n{self.log()}") from problem

    def log(self):
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def stop(self):
        """End it as a service manager does; it must end in order."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        assert code in self.right_codes, f"The server ended with {code}:\n{self.log()}"
        self.look_through_log()

    def kill(self):
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)
        self.look_through_log()

    def look_through_log(self):
        """However it ended, its log must not repeat what was said in it, or who is who."""
        assert told_by(self.log(), self.database) == [], "the log repeats what was said"

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None
