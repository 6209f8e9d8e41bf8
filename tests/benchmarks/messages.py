"""
How many messages a second one process takes: `python -m tests.benchmarks.messages`.

200 sockets in 100 pairs of visitor and agent; every message is stored, numbered, acknowledged and sent to both sides.
First as fast as it is answered, then at 200 messages a second, beside a bare echo on the same server in the same run.
Read the ratios: figures in messages a second belong to the machine. Where others are busy too, read those of
processor time. `--seconds 3` for a shorter run, `--only sqlite`.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import quantiles

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.portals import ROOT
from tests.servers import Postgres, Valkey

PAIRS = 100
STEADY = 200
WAIT_SECONDS = 60
# Of the same path without rights, validation and receipts, as a share of the bare echo on one core.
CEILINGS = "group commit with the ORM 0.2, a template for each audience 0.3, no HTML at all 0.34 to 0.55"

keys = (f"benchmark-{number:020d}" for number in itertools.count())


class Served:
    """One server process on a socket that is bound here."""

    def __init__(self, name, command, environment):
        self.name = name
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = self.listening.getsockname()[1]
        number = self.listening.fileno()
        self.process = subprocess.Popen(
            [*command, str(number)], cwd=ROOT, env=environment, pass_fds=[number], stdout=subprocess.PIPE, text=True
        )
        self.listening.close()

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self):
        """The processor time that the server has used so far: what does not depend on who else is busy here."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait(WAIT_SECONDS)
        self.process.stdout.close()


class Sender:
    """One page that sends, waits for the answer, and counts how long it took."""

    def __init__(self, page, frame, is_answer):
        self.page, self.frame, self.is_answer = page, frame, is_answer
        self.answered = asyncio.Event()
        self.drawn = asyncio.Event()
        self.refused = 0
        self.reader = asyncio.create_task(self._read())

    async def _read(self):
        with contextlib.suppress(ConnectionClosed):
            async for text in self.page:
                if text.startswith('{"is": "refused"'):
                    self.refused += 1
                    self.answered.set()
                elif self.is_answer(text):
                    self.answered.set()
                elif text.startswith('{"is": "fragments"'):
                    self.drawn.set()

    async def send(self):
        """One message; answers how many seconds it took."""
        self.answered.clear()
        began = time.perf_counter()
        await self.page.send(self.frame())
        async with asyncio.timeout(WAIT_SECONDS):
            await self.answered.wait()
        return time.perf_counter() - began


async def at_full_speed(senders, seconds):
    """Each page sends the next message when the last one is answered."""
    end = time.perf_counter() + seconds
    took = []

    async def run(sender):
        while time.perf_counter() < end:
            took.append(await sender.send())

    began = time.perf_counter()
    await asyncio.gather(*map(run, senders))
    return took, time.perf_counter() - began


async def steadily(senders, seconds):
    """So many messages a second in all, from one page after the other."""
    took, sending = [], []
    began = time.perf_counter()

    async def one(sender):
        took.append(await sender.send())

    for place in range(int(STEADY * seconds)):
        await asyncio.sleep(max(0, began + place / STEADY - time.perf_counter()))
        sending.append(asyncio.create_task(one(senders[place % len(senders)])))
    await asyncio.gather(*sending)
    return took, time.perf_counter() - began


async def measure(server, pages, seconds):
    """Open the pages of this server, send, and say what came of it."""
    opened = []
    try:
        for path, cookie, conversation in pages:
            headers = {"Cookie": cookie} if cookie else {}
            page = await connect(
                f"ws://127.0.0.1:{server.port}{path}",
                origin=server.origin,
                additional_headers=headers,
                compression=None,
                max_size=None,
                open_timeout=WAIT_SECONDS,
            )
            opened.append(sender_of(page, conversation, is_echo=not cookie))
        await asyncio.gather(*[sender.send() for sender in opened])
        if pages[0][1]:
            # What is measured is messages, not the opening of pages.
            async with asyncio.timeout(WAIT_SECONDS):
                await asyncio.gather(*[sender.drawn.wait() for sender in opened])
        rates = []
        for how in (at_full_speed, steadily):
            used = server.cpu_seconds()
            took, lasted = await how(opened, seconds)
            rates.append(figures(took, lasted, server.cpu_seconds() - used))
    finally:
        for sender in opened:
            await sender.page.close()
            await sender.reader
    refused = sum(sender.refused for sender in opened)
    return rates, refused


def sender_of(page, conversation, *, is_echo):
    where = {} if conversation is None else {"conversation": conversation}

    def frame():
        return json.dumps({"do": "post", "key": next(keys), "text": "Where is my order? It should be here.", **where})

    return Sender(page, frame, (lambda text: True) if is_echo else (lambda text: text.startswith('{"is": "posted"')))


def figures(took, lasted, used):
    cuts = quantiles(took, n=100)
    each = {"p50": cuts[49] * 1000, "p99": cuts[98] * 1000, "cpu": used / len(took) * 1000}
    return {"rate": len(took) / lasted, **each}


def run_echo(environment, seconds):
    server = Served("bare echo", [sys.executable, "-m", "tests.benchmarks.echo"], environment)
    try:
        assert server.process.stdout.readline() == "listening\n"
        return asyncio.run(measure(server, [("/", "", None)] * PAIRS * 2, seconds))
    finally:
        server.stop()


def run_portal(name, environment, seconds):
    run = {"cwd": ROOT, "env": environment, "check": True, "text": True}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], **run)
    subprocess.run([sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"], **run)
    command = [sys.executable, "-m", "tests.benchmarks.world", str(PAIRS)]
    made = json.loads(subprocess.run(command, stdout=subprocess.PIPE, **run).stdout)
    server = Served(name, [sys.executable, "manage.py", "serve", "--fd"], environment)
    try:
        urllib.request.urlopen(server.origin + "/chat/", timeout=WAIT_SECONDS).close()
        pages = []
        for talk in made:
            pages.append(("/ws/chat/?last=0", talk["visitor"], None))
            pages.append((f"/ws/desk/?open={talk['conversation']}&last=0", talk["agent"], talk["conversation"]))
        return asyncio.run(measure(server, pages, seconds))
    finally:
        server.stop()


def show(name, rates, refused, echo=None):
    fast, steady = rates
    share = f"{fast['rate'] / echo['rate']:5.2f} of echo" if echo else " " * 13
    cpu = f"{echo['cpu'] / fast['cpu']:5.2f} of echo" if echo else " " * 13
    print(
        f"{name:24} {fast['rate']:7.0f}/s {share}   p50 {fast['p50']:6.1f}  p99 {fast['p99']:6.1f} ms at full speed"
        f"   {fast['cpu']:6.2f} ms of processor each {cpu}"
        f"   p50 {steady['p50']:5.1f}  p99 {steady['p99']:5.1f} ms at {steady['rate']:.0f}/s"
        + (f"   {refused} refused" if refused else ""),
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="livedesk-benchmark-") as folder, contextlib.ExitStack() as stack:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LIVEDESK_EMBEDDED": "1",
            "LIVEDESK_DATA": folder,
            "SECRET_KEY": "only-for-benchmarks-" + "0123456789abcdef" * 3,
            "MESSAGES_PER_MINUTE": "100000",
            "LOG_LEVEL": "WARNING",
        }
        rates, refused = run_echo(environment, options.seconds)
        show("bare echo", rates, refused)
        echo = rates[0]
        if options.only != "postgresql":
            show("SQLite", *run_portal("SQLite", environment, options.seconds), echo)
        if options.only != "sqlite":
            addresses = {
                "DATABASE_URL": stack.enter_context(Postgres()).url(),
                "REDIS_URL": stack.enter_context(Valkey()).url(),
            }
            portal = run_portal("PostgreSQL and Valkey", environment | addresses, options.seconds)
            show("PostgreSQL and Valkey", *portal, echo)
    print(f"For comparison, the shape without the product around it: {CEILINGS} of echo.")


if __name__ == "__main__":
    main()
