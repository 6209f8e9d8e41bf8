"""
How late the machine itself is, whatever the product does: told by a process that knows nothing of the product.

`python -m tests.proofs.lateness ADDRESS` naps for 10 ms and asks the database at ADDRESS the shortest of questions,
again and again. A tenth of a second at a time it writes when that ended, by the clock that all processes of a machine
share, and by how much the longest round exceeded the nap.
"""

import os
import subprocess
import sys
import threading
import time

from tests.told import connect_to

NAP_SECONDS = 0.01
REPORT_SECONDS = 0.1
START_SECONDS = 30
LOCK_SECONDS = 60


class Machine:
    """Listens to such a process for as long as it is open."""

    def __init__(self, address):
        self.reports = []
        self._is_new = threading.Condition()
        command = [sys.executable, "-m", "tests.proofs.lateness", address]
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._wait_for_report_after(time.monotonic())

    def _read(self):
        for line in self.process.stdout:
            with self._is_new:
                self.reports.append(tuple(map(float, line.split())))
                self._is_new.notify_all()

    def _wait_for_report_after(self, moment):
        with self._is_new:
            is_there = self._is_new.wait_for(lambda: self.reports and self.reports[-1][0] > moment, START_SECONDS)
        assert is_there, "unknown: nobody says how late the machine is"

    def lag(self, began, ended):
        """The longest that the machine was late between these moments."""
        self._wait_for_report_after(ended)
        return max(late for at, late in list(self.reports) if began <= at <= ended + 2 * REPORT_SECONDS + late)

    def close(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdin.close()
        self.process.stdout.close()


def questions(address):
    """A function that asks the database something and waits for the answer."""
    database = connect_to(address, LOCK_SECONDS)
    question = "SELECT COUNT(*) FROM sqlite_master" if address.startswith("sqlite:///") else "SELECT 1"
    return lambda: database.execute(question).fetchall()


def main(address):
    threading.Thread(target=end_with_parent, daemon=True).start()
    ask = questions(address)
    last = time.monotonic()
    while True:
        longest, end = 0.0, last + REPORT_SECONDS  # what the report itself takes counts too
        while last < end:
            time.sleep(NAP_SECONDS)
            ask()
            now = time.monotonic()
            longest, last = max(longest, now - last - NAP_SECONDS), now
        print(last, longest, flush=True)


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
