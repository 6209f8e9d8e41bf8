"""
Group commit: one writer per process stores the messages of all its sockets, a transaction at a time; marks likewise.

While one transaction runs, the next batch gathers; nobody is answered before COMMIT. With little traffic a batch is
one message and adds no delay.
"""

import asyncio
import logging

from django.db import DatabaseError
from django.db.utils import InterfaceError, OperationalError

from config.refusal import Refused
from config.threads import in_thread, writer
from conversations.actions.messaging import Draft, Posted, post_batch
from conversations.actions.reading import Mark, mark

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 200
GATHER_SECONDS = 0.05  # nobody waits for a mark
PAUSES = (0.1, 0.3, 1.0, 2.0)  # seconds between tries while the database is away


class Writer:
    """Takes drafts from the sockets and answers each when it is in the database."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Draft, asyncio.Future[Posted | Refused]]] = []
        self._has_work = asyncio.Event()

    async def post(self, draft: Draft) -> Posted | Refused:
        """Store one message with the next batch; raises when the database stays away."""
        answer: asyncio.Future[Posted | Refused] = asyncio.get_running_loop().create_future()
        self._waiting.append((draft, answer))
        self._has_work.set()
        return await answer

    async def run(self) -> None:
        """Commit batch after batch, until cancelled."""
        while True:
            await self._has_work.wait()
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            if not self._waiting:
                self._has_work.clear()
            await self._commit(batch)

    async def _commit(self, batch: list[tuple[Draft, asyncio.Future[Posted | Refused]]]) -> None:
        try:
            answers = await self._store([draft for draft, _future in batch])
        except asyncio.CancelledError:
            for _draft, future in batch:
                future.cancel()
            raise
        except Exception as problem:
            logger.exception("%d messages could not be stored.", len(batch))
            for _draft, future in batch:
                if not future.done():
                    future.set_exception(problem)
            return
        for (_draft, future), answer in zip(batch, answers, strict=True):
            if not future.done():  # its socket may be gone; the message is stored all the same
                future.set_result(answer)

    async def _store(self, drafts: list[Draft]) -> list[Posted | Refused]:
        for pause in PAUSES:
            try:
                return await in_thread(post_batch, pool=writer)(drafts)
            except (OperationalError, InterfaceError) as problem:
                logger.warning("The database did not take %d messages (%s); trying again.", len(drafts), problem)
                await asyncio.sleep(pause)
        return await in_thread(post_batch, pool=writer)(drafts)


class Marker:
    """Takes the marks of the sockets and stores the furthest of each, together."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, int | None], Mark] = {}
        self._has_work = asyncio.Event()

    def note(self, told: Mark) -> None:
        """Store it with the next batch."""
        before = self._waiting.get(told.whose)
        self._waiting[told.whose] = told.or_further(before) if before else told
        self._has_work.set()

    async def run(self) -> None:
        """Store batch after batch, until cancelled; what the database does not take now waits for it."""
        while True:
            await self._has_work.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._has_work.clear()
            batch, self._waiting = self._waiting, {}
            try:
                await in_thread(mark, pool=writer)(list(batch.values()))
            except DatabaseError as problem:
                logger.warning("%d marks could not be stored (%s); trying again.", len(batch), problem)
                for told in batch.values():
                    self.note(told)
                await asyncio.sleep(PAUSES[-1])
