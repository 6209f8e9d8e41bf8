"""Broken builds for the proofs about running the portal and about browsers under attack; see broken_serve.py."""

import asyncio
import signal
import threading
import time

from django.http.response import HttpResponseBase
from django.utils.safestring import mark_safe

from config import health, logs, metrics
from conversations import consumers, router, thread, writer


def log_with_rows():
    """The log repeats what the database quotes: the row, and with it somebody's words."""
    logs.without_rows = lambda text: text


def words_are_markup():
    """What a visitor writes goes into the page as it is."""
    thread.with_links = mark_safe


def bare_cookies():
    """Every cookie goes over any line, and to scripts."""
    set_cookie = HttpResponseBase.set_cookie

    def set_bare_cookie(self, *named, secure=False, httponly=False, **rest):
        set_cookie(self, *named, **rest)

    HttpResponseBase.set_cookie = set_bare_cookie


def always_ready():
    """Whatever is missing, the probe finds nothing."""
    health.Health.faults = lambda self: []


def offers_count_as_accepted():
    """However an offer ends, it is counted as accepted."""
    labels = metrics.offers.labels
    metrics.offers.labels = lambda **_outcome: labels(outcome="accepted")


def router_hangs_at_signal():
    """Told by SIGUSR1, the router hangs in its next turn and says when it swept last; everything else goes on."""
    told, work, swept = threading.Event(), router.work, [0.0]

    def work_or_hang(*, is_sweep):
        if told.is_set():
            print("last sweep", *swept, flush=True)
        while told.is_set():
            time.sleep(1)
        made = work(is_sweep=is_sweep)
        swept[:] = [time.monotonic()] if is_sweep else swept
        return made

    signal.signal(signal.SIGUSR1, lambda *_: told.set())
    router.work = work_or_hang


def acknowledge_what_waits():
    """The sender is told "stored" when the message waits for the writer, who takes his time."""
    store, waiting = writer.Writer._store, set()

    async def store_later(self, drafts):
        await asyncio.sleep(30)  # longer than a server may take to end
        return await store(self, drafts)

    async def post(self, draft):
        waiting.add(asyncio.create_task(consumers.current_pages().writer.post(draft)))
        frame = {"is": "posted", "key": draft.key, "number": 0, "conversation": draft.conversation_id}
        await self.send_frame(frame)

    writer.Writer._store = store_later
    consumers.LiveConsumer.post = post
