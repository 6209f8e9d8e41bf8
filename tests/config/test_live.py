"""The hub's line to the other processes."""

import asyncio

from config import live


class StubbornLayer:
    """A channel layer that swallows the first cancellation, as a Redis client does in the middle of sending."""

    def __init__(self):
        self.is_sending = asyncio.Event()

    async def new_channel(self):
        await asyncio.Event().wait()

    async def group_send(self, group, message):
        self.is_sending.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return


async def test_the_hub_stops_even_when_a_cancellation_is_swallowed(settings, monkeypatch):
    layer = StubbornLayer()
    settings.REDIS_URL = "redis://somewhere"
    monkeypatch.setattr(live, "get_channel_layer", lambda: layer)
    hub = live.Hub()
    await hub.start()
    hub.ring_everywhere([{"group": "thread-1", "what": "changed"}])
    await layer.is_sending.wait()

    await asyncio.wait_for(hub.stop(), timeout=5)

    assert len(asyncio.all_tasks()) == 1
