"""What every server process runs beside its pages: the hub, the writer, the router and the safety poll."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from config.live import Hub, set_hub
from config.threads import close_connections
from conversations import figures, scanner
from conversations.pages import Pages, set_pages
from conversations.router import Router
from conversations.watch import Watch
from conversations.writer import Marker, Writer

logger = logging.getLogger(__name__)

RESTART_SECONDS = 1.0

_tasks: list[asyncio.Task[None]] = []
_hub: Hub | None = None


async def start() -> None:
    """Start everything in the running loop; a second call changes nothing."""
    global _hub
    if _hub is not None:
        return
    figures.register()
    _hub = Hub()
    set_hub(_hub)
    await _hub.start()
    writer, marker, router = Writer(), Marker(), Router(_hub)
    pages = Pages(_hub, writer, marker)
    set_pages(pages)
    watch = Watch(_hub, pages)
    _tasks.extend(
        asyncio.create_task(_keep(name, run), name=name)
        for name, run in (
            ("writer", writer.run),
            ("marker", marker.run),
            ("router", router.run),
            ("watch", watch.run),
            ("presence", watch.beat),
            ("virus check", scanner.run),
            ("clearing of files", scanner.clean_up),
        )
    )


async def stop() -> None:
    """Stop everything and close the threads' connections."""
    global _hub
    for task in _tasks:
        task.cancel()
    await asyncio.gather(*_tasks, return_exceptions=True)
    _tasks.clear()
    set_pages(None)
    set_hub(None)
    if _hub is not None:
        await _hub.stop()
    _hub = None
    await asyncio.to_thread(close_connections)


async def _keep(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a task for ever: one that dies is logged and started again."""
    while True:
        try:
            await run()
            logger.error("The %s ended by itself; starting it again.", name)
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("The %s died; starting it again.", name)
        await asyncio.sleep(RESTART_SECONDS)
