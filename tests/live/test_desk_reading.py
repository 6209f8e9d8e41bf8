"""How much of a desk is read and drawn: all of it when it opens, and a row when somebody wrote a line."""

import pytest

from config import live
from conversations import desk_page, groups, watch
from conversations.models import Conversation
from conversations.pages import current_pages
from tests import make
from tests.live.sockets import Talk, in_database
from tests.proofs.screens import DeskScreen


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
    for _ in range(2):
        before = len(told_as_writing(desk))
        ring = {"group": groups.thread(talk.id), "what": "typing", "conversation": talk.id, "by": 0, "name": "Ana"}
        live.current_hub().ring_here([ring])
        await desk.until(lambda before=before: len(told_as_writing(desk)) > before, "somebody writing")


def told_as_writing(desk):
    return [frame for frame in desk.frames if frame["is"] == "typing"]


def a_second_talk_and_a_request(talk):
    make.active_conversation(lead=talk.agent)
    return make.offer(to=talk.agent)


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


def written_elsewhere(conversation_id, text):
    """Another process stored a line by the visitor; answers the ring that comes of it."""
    conversation = Conversation.objects.get(pk=conversation_id)
    message = make.message(conversation, text)
    ids = {"conversation": conversation_id, "number": message.number, "visitor_count": conversation.visitor_count}
    return {"group": groups.thread(conversation_id), "what": "posted", **ids}


def is_in_step(agent_id):
    """Whether the safety poll would find nothing on the desk to bring up to date, and nothing claimed too early."""
    (page,) = current_pages().desks[agent_id]
    mine, found = watch.known_of(page.desk), watch.look([], [agent_id], []).desks[agent_id]
    return mine == found


@pytest.mark.parametrize("is_open", [True, False])
async def test_a_line_from_another_process_costs_a_row(by_rings_alone, here, drawings, is_open):
    talk = await in_database(Talk)
    await in_database(make.active_conversation, lead=talk.agent)
    async with DeskScreen(here, talk.agent_cookie, talk.id if is_open else None) as desk:
        await until_idle(desk, talk)
        drawings.clear()
        before = len(desk.frames)
        for text in ("First of all", "One more thing"):
            live.current_hub().ring_here([await in_database(written_elsewhere, talk.id, text)])
            await desk.until_shown(f"task-{talk.id}", text)
        await until_idle(desk, talk)

        assert await desk.until_equal(2) == ""
        assert await in_database(is_in_step, talk.agent.pk)
    brought = [frame["is"] for frame in desk.frames[before:] if frame["is"] != "typing"]
    assert brought == ["messages", "fragments"] * 2 if is_open else ["fragments"] * 2
    assert drawings == []


async def test_a_line_from_another_process_in_a_request_is_read_with_the_whole_desk(by_rings_alone, here, drawings):
    talk = await in_database(Talk)
    offer = await in_database(a_second_talk_and_a_request, talk)
    async with DeskScreen(here, talk.agent_cookie, talk.id) as desk:
        await until_idle(desk, talk)
        drawings.clear()
        live.current_hub().ring_here([await in_database(written_elsewhere, offer.conversation_id, "Hurry, please")])
        await desk.until_shown("requests", "Hurry, please")

        assert await desk.until_equal(2) == ""
    assert len(drawings) == 1


async def test_a_ring_that_comes_behind_what_was_read_takes_no_row_back(by_rings_alone, here):
    talk = await in_database(Talk)
    async with DeskScreen(here, talk.agent_cookie) as desk:
        await until_idle(desk, talk)
        late, last = [await in_database(written_elsewhere, talk.id, text) for text in ("First of all", "And then")]
        live.current_hub().ring_here([last])
        await desk.until_shown(f"task-{talk.id}", "And then")

        late["_posted"] = await in_database(lambda: list(talk.conversation.messages.filter(number=late["number"])))
        live.current_hub().ring_here([late])
        await until_idle(desk, talk)

        assert await desk.until_equal(0) == ""
        assert await in_database(is_in_step, talk.agent.pk)
