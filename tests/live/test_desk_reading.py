"""How much of a desk is read and drawn: all of it when it opens, and a row when somebody wrote a line."""

import pytest

from config import live
from conversations import desk_page, groups
from tests import make
from tests.live.sockets import Talk, in_database


@pytest.fixture
def drawings(monkeypatch):
    """One entry for each time that a whole desk was read and drawn."""
    view_of_desk, drawn = desk_page.view_of_desk, []

    def view(*arguments):
        drawn.append(arguments)
        return view_of_desk(*arguments)

    monkeypatch.setattr(desk_page, "view_of_desk", view)
    return drawn


async def until_idle(desk, talk):
    """What the page had to do is done: it tells what rings before it reads, so the second ring comes after all that."""
    for place in range(2):
        ring = {"group": groups.thread(talk.id), "what": "typing", "conversation": talk.id, "by": 0, "name": "Ana"}
        live.current_hub().ring_here([{**ring, "name": f"Ana {place}"}])
        await desk.until(lambda place=place: desk.frames[-1].get("who") == f"Ana {place}", "somebody writing")


def a_second_talk_and_a_request(talk):
    make.active_conversation(lead=talk.agent)
    make.offer(to=talk.agent)


async def test_a_desk_that_opens_is_drawn_once(by_rings_alone, here, drawings):
    talk = await in_database(Talk)
    await in_database(a_second_talk_and_a_request, talk)
    async with talk.desk(here) as desk:
        await desk.until_line(1)
        await until_idle(desk, talk)

    assert len(drawings) == 1


async def test_a_conversation_that_comes_while_a_desk_is_read_is_listened_to_and_read_again(
    by_rings_alone, here, drawings, monkeypatch
):
    monkeypatch.setattr(desk_page, "heard_by", lambda agent_id: set())  # it was nobody's a moment before
    talk = await in_database(Talk)
    async with talk.desk(here) as desk:
        await desk.until_line(1)
        await until_idle(desk, talk)

        await desk.until_shown("tasks", f'id="task-{talk.id}"')

    assert len(drawings) == 2
