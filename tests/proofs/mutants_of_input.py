"""Broken builds for the proof about broken requests and frames; see broken_serve.py."""

import time

from config import server
from conversations import consumers

BLOCKED_SECONDS = 1.0  # more than twice what ordinary messages take beside others


def stops_for_bad_frames():
    """The whole process waits while it refuses a frame."""
    refuse = consumers.LiveConsumer._refuse

    async def refuse_slowly(self, *words):
        time.sleep(BLOCKED_SECONDS)
        await refuse(self, *words)

    consumers.LiveConsumer._refuse = refuse_slowly


def bare_answers():
    """What the server writes itself has no headers but the needed ones."""
    server.guards = list


def no_limit_of_frames():
    """A page may send as many frames as the line takes."""
    consumers.FRAMES_PER_SECOND = 10**9
