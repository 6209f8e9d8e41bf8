"""
Group commit: one writer per process stores the messages of all its sockets, a transaction at a time.

While one transaction runs, the next batch gathers; nobody is answered before COMMIT. With little traffic a batch is
one message and adds no delay.
"""

import asyncio
import logging

from django.db.utils import InterfaceError, OperationalError

from config.refusal import Refused
from config.threads import in_thread, writer
from conversations.actions.messaging import Draft, Posted, post_batch

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 200
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
