"""Connections that send their headers letter by letter."""

import asyncio
import contextlib
import time

from tests.proofs.raw import line_to
from tests.proofs.verdict import Unknown

LINES, ENOUGH_LINES = 100, 95
LIFE_SECONDS = 20.0  # shorter than the server lets anybody take for his headers


class SlowLine:
    """One of them, which is renewed before the server ends it; who is ended all the same begins again."""

    def __init__(self, portal, stack, age):
        self.portal, self.stack, self.age = portal, stack, age

    async def begin(self):
        self.line = await self.stack.enter_async_context(line_to(self.portal))
        self.line.write(b"GET /chat/ HTTP/1.1\r\nX-Slow: ")
        self.began = time.monotonic() - self.age
        self.age = 0

    async def drip(self):
        if time.monotonic() - self.began > LIFE_SECONDS:
            self.line.transport.abort()
            await self.begin()
        elif self.line.is_ended:
            await self.begin()
        self.line.write(b"x")

    @property
    def is_ended(self):
        return self.line.is_ended

    async def until(self):
        await self.line.until()


@contextlib.asynccontextmanager
async def slow_lines(portal, every=0.5):
    """
    A hundred of them while something else is done.

    They are of every age, and so do not end together: how many live does not hang on how long it takes.
    """
    async with contextlib.AsyncExitStack() as stack:
        lines = [SlowLine(portal, stack, LIFE_SECONDS * place / LINES) for place in range(LINES)]
        for line in lines:
            await line.begin()

        async def drip():
            while True:
                for line in lines:
                    await line.drip()
                await asyncio.sleep(every)

        dripping = asyncio.create_task(drip())
        try:
            yield lines
            dripping.cancel()
            await asyncio.wait([dripping])
            alive = LINES - sum(line.is_ended for line in lines)
            if alive < ENOUGH_LINES or not dripping.cancelled():
                raise Unknown(f"{alive} slow connections were open at the end.")
        finally:
            dripping.cancel()
