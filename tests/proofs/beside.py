"""
What one may do to others: a canary talks while somebody misbehaves.

The canary is a talk in a process of its own, over sockets of the same server. Its baseline is the same run beside
ordinary work; both take turns, so that what else the machine does meets both.
"""

import asyncio
import sys
import time

from tests.portals import ROOT

SAMPLES = 40  # of the canary, in each turn
TURNS = 2
TRIES = 3
# Below this the machine's other work decides, not the server.
NOISE_SECONDS = 0.05


class Canary:
    """A talk in a process of its own: `async with`, then the 95th percentile between two moments."""

    def __init__(self, portal, talk):
        self.command = [sys.executable, "-m", "tests.proofs.canary", portal.socket_url, portal.url]
        self.command += [str(talk.id), talk.visitor_cookie, talk.agent_cookie]
        self.samples = []

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(*self.command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        self.reading = asyncio.create_task(self._read())
        await self.until_samples(3)
        return self

    async def __aexit__(self, *problem):
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self.reading

    async def _read(self):
        async for line in self.process.stdout:
            at, seconds = line.split()
            self.samples.append((float(at), float(seconds)))

    async def until_samples(self, number, since=0.0):
        async with asyncio.timeout(120):
            while len(self.between(since, time.time())) < number:
                assert self.process.returncode is None, "the canary fell silent"
                await asyncio.sleep(0.05)

    def between(self, start, end):
        return sorted(seconds for at, seconds in self.samples if start <= at <= end)

    async def alone(self, samples=SAMPLES):
        """Say how fast it is when nobody does anything else."""
        found = await self.while_doing(lambda: asyncio.sleep(0.5), samples)
        print(f"canary p95 of {len(found)}: {p95(found) * 1000:.0f} ms alone")

    async def while_doing(self, work, samples=SAMPLES):
        """Do the work, over and over until there are enough samples: how long messages took during it."""
        start = time.time()
        while True:
            await work()
            found = self.between(start, time.time())
            if len(found) >= samples:
                return found


def p95(samples):
    return sorted(samples)[int(len(samples) * 0.95)]


async def is_untouched(canary, ordinary, bad, *, tries=TRIES, samples=SAMPLES):
    """
    Whether the canary's 95th percentile stays within twice its baseline.

    Somebody else may use the machine in that moment, so it is measured again before the answer is no.
    """
    for _ in range(tries):
        usual, then = [], []
        for _ in range(TURNS):
            usual += await canary.while_doing(ordinary, samples)
            then += await canary.while_doing(bad, samples)
        print(f"canary p95 of {len(then)}: {p95(usual) * 1000:.0f} ms as ever, {p95(then) * 1000:.0f} ms meanwhile")
        if p95(then) <= max(2 * p95(usual), NOISE_SECONDS):
            return True
    return False
