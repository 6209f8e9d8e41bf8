"""What the process counts of its live traffic."""

import asyncio
import datetime as dt

from config.metrics import registry
from tests import make
from tests.live.sockets import Talk, in_database, until

HOUR = dt.timedelta(hours=1)


class Deliveries:
    """The lines that were timed on their way to a page since this was made."""

    def __init__(self):
        self.before = self.now()

    def now(self):
        return [registry.get_sample_value(f"livedesk_delivery_seconds_{what}") for what in ("count", "sum")]

    async def are(self, number):
        """So many, and all of them quick."""
        async with asyncio.timeout(5):
            while self.now()[0] - self.before[0] < number:
                await asyncio.sleep(0.01)
        count, seconds = [now - before for now, before in zip(self.now(), self.before, strict=True)]
        return count == number and seconds < 20


def talk_that_was_left():
    """The visitor wrote an hour ago, when neither page was open."""
    talk = Talk()
    talk.write("Are you there?", at=make.database_now() - HOUR)
    return talk


def talk_beside(talk):
    """Another conversation of the agent, in which somebody wrote half a second ago."""
    other = make.active_conversation(lead=talk.agent)
    make.message(other, "Are you there?", at=make.ago(0.5))
    return other


async def test_lines_from_before_a_page_was_open_were_not_slow_to_come(here):
    talk, timed = await in_database(talk_that_was_left), Deliveries()
    async with talk.desk(here) as desk, talk.chat(here) as chat:
        await desk.until_line(2)
        await chat.until_line(2)

        await chat.say("Hello")
        await desk.until_line(3)
        await chat.until_line(3)

        assert await timed.are(2)


async def test_lines_from_before_a_desk_showed_their_thread_were_not_slow_to_come(here):
    talk, timed = await in_database(Talk), Deliveries()
    async with talk.desk(here) as desk:
        await desk.until_line(1)
        opened_at = await in_database(make.database_now)
        await until(lambda: make.ago(1) > opened_at)  # so that the desk was open when it was written
        other = await in_database(talk_beside, talk)
        await desk.send("open", conversation=other.pk, last=0)
        await desk.until_line(2)

        await desk.say("Hello", other.pk)
        await desk.until_line(3)

        assert await timed.are(1)


async def test_a_line_whose_ring_was_lost_is_timed_too(here):
    talk, timed = await in_database(Talk), Deliveries()
    async with talk.desk(here) as desk, talk.chat(here) as chat:
        await desk.until_line(1)
        await chat.until_line(1)

        await in_database(talk.write, "Hello")  # nobody rings for it
        await desk.until_line(2)
        await chat.until_line(2)

        assert await timed.are(2)
