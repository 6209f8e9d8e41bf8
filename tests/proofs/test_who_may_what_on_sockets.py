"""
Who may what on sockets.

Every command of the sockets is tried for every kind of person as the table in who_may_what.yaml says, with one's own
conversation and with another's; no socket tells a visitor of a note. Addresses are in test_who_may_what.py.
"""

from uuid import UUID

import pytest

from config import threads
from config.threads import in_thread
from conversations import access, groups, router, thread
from conversations.actions import conferences, files, messaging
from conversations.models import Message
from conversations.pages import current_pages
from tests.live.sockets import HerePage, in_database, in_time, until
from tests.proofs import rights
from tests.proofs.mutants_of_rights import always, any_place_of, broken, known_by_key_alone, owned_by_nobody
from tests.proofs.rights import NOTE_MARK, RIGHTS, ROLES, TALK_MARK, row_of
from tests.proofs.two_talks import ENDED_LINE, World

REVOKED_SECONDS = 5

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture(autouse=True)
def nothing_by_itself(monkeypatch):
    """Rows change by what the test does alone: the world's visitors have no page, and no deadline strikes for it."""
    monkeypatch.setattr(router, "work", lambda *, is_sweep: 0)


# Notes


async def test_no_socket_tells_a_visitor_of_a_note(here):
    world = await in_database(World)
    told = await told_to_visitors(here, world)

    assert TALK_MARK in told
    assert ENDED_LINE in told
    assert NOTE_MARK not in told


async def test_no_socket_tells_a_visitor_of_a_note_while_the_agent_wraps_up(here):
    world = await in_database(World, "wrap_up")
    async with HerePage(here, "/ws/chat/?last=0", world.cookies["visitor_a"]) as chat:
        await chat.until_line(1)
        await chat.send("ping")
        await chat.until(lambda: "pong" in kinds(chat, 0), "a pong")
        await until(lambda: is_calm(world, "visitor_a"))

    assert TALK_MARK in str(chat.frames)
    assert NOTE_MARK not in str(chat.frames)


async def told_to_visitors(server, world):
    """Everything that the visitor's sockets are sent: caught up, live, after a reconnect, and of two tabs."""
    cookie, number = world.cookies["visitor_a"], world.note.number
    async with HerePage(server, "/ws/chat/?last=0", cookie) as chat, desk_page(server, world, "agent_lead") as lead:
        await chat.until_line(1)
        note = await lead.say_note(f"One more: {NOTE_MARK}", world.talk.pk)
        answer = await lead.say(f"And a word {TALK_MARK}", world.talk.pk)
        await chat.until_line(answer["number"])
        frames = chat.frames
    async with HerePage(server, f"/ws/chat/?last={number - 1}", cookie) as back:
        await back.until_line(answer["number"])
        frames = frames + back.frames
    async with HerePage(server, f"/ws/chat/?last={note['number'] - 1}", cookie) as again:
        await again.until_line(answer["number"])
        frames = frames + again.frames
    async with HerePage(server, "/ws/chat/?last=0", world.cookies["ended_visitor"]) as ended:
        await ended.until_line(world.ended.last_number)
        frames = frames + ended.frames
    return str(frames)


class DeskPage(HerePage):
    """A desk that can write notes."""

    async def say_note(self, text, conversation):
        key = rights.new_key()
        await self.send("post", key=key, text=text, conversation=conversation, note=True)
        await self.until(lambda: self.answers(key), "an answer to a note")
        return self.answers(key)[-1]


def desk_page(server, world, role):
    return DeskPage(server, f"/ws/desk/?open={world.talk.pk}&last=0", world.cookies[role])


# Commands


class Ear:
    """Hears what is rung for a conversation."""

    def __init__(self):
        self.heard = []

    def ring(self, ring):
        self.heard.append(ring["what"])


async def done_by(page, world, role, where, command, conversation_id):
    """What one command of a page brings about, in the table's words."""
    ear = Ear()
    current_pages().hub.join(groups.thread(conversation_id), ear)
    before, seen = await in_database(rights.dump), len(page.frames)
    values = {} if where == "/ws/chat/" else {"conversation": conversation_id}
    values |= {
        "post": {"key": rights.new_key(), "text": "Hello"},
        "note": {"key": rights.new_key(), "text": "Among us", "note": True},
        "got": {"number": 1}, "seen": {"number": 2}, "open": {"last": 0},
    }.get(command, {})  # fmt: skip
    await page.send("post" if command == "note" else command, **values)
    await page.send("ping")
    pongs = 2 if command == "ping" else 1
    await page.until(lambda: kinds(page, seen).count("pong") == pongs, f"a pong after {command}")
    await marks_are_stored()
    await until(lambda: is_calm(world, role))
    current_pages().hub.leave(groups.thread(conversation_id), ear)
    if "refused" in kinds(page, seen):
        assert await in_database(rights.dump) == before
        return "refused"
    has_done = {
        "ping": lambda: True,
        "open": lambda: brought_anything(page.frames[seen:], conversation_id),
        "typing": lambda: "typing" in ear.heard,
    }.get(command)  # fmt: skip
    if has_done is not None:
        return "ok" if has_done() else "nothing"
    return "ok" if await in_database(rights.dump) != before else "nothing"


def brought_anything(frames, conversation_id):
    """Whether anything of the conversation came; of one that is not his, an agent is told its number and no more."""
    words = str([frame for frame in frames if frame != {"is": "gone", "conversation": conversation_id}])
    return f"'conversation': {conversation_id}" in words or f"panel-{conversation_id}" in words


def kinds(page, since):
    return [frame["is"] for frame in page.frames[since:]]


async def marks_are_stored():
    """They are gathered for a moment, and stored by the writer's one thread."""
    await until(lambda: not current_pages().marker._waiting)
    await in_thread(lambda: None, pool=threads.writer)()


def is_calm(world, role):
    """Every page of this process has told what it had to tell."""
    pages = [
        page for group in (current_pages().desks, current_pages().visitors) for some in group.values() for page in some
    ]
    return not any(page._wake.is_set() or page._is_stale or page._is_behind for page in pages)


async def wrong_at_socket(server, world, where, role, conversation_id=None):
    """What one person's socket does that the table does not say; with another's conversation, nothing goes."""
    rows = {command: row_of(values)[role] for command, values in RIGHTS["sockets"][where].items()}
    own = world.conversation_of(role).pk
    wrong = []
    async with HerePage(server, where, world.cookies[role]) as page:
        if rows["opens"] != "ok":
            code = await page.until_closed()
            return [] if str(code) == rows["opens"] else [f"{where} for {role}: {code}"]
        await page.until_drawn()
        for command, wanted in rows.items():
            if command == "opens":
                continue
            if conversation_id and command != "ping":
                wanted = "refused" if command in ("post", "note") else "nothing"
            found = await done_by(page, world, role, where, command, conversation_id or own)
            wrong += [f"{where} {command} by {role}: {found} instead of {wanted}"] * (found != wanted)
        texts = str(page.frames)
    wrong += [
        f"{where} {role} read {mark}" for mark, who in rights.WHO_READS.items() if mark in texts and role not in who
    ]
    return wrong


@pytest.mark.parametrize("where", rights.every_socket())
async def test_every_command_of_a_socket_is_for_whom_the_table_says(here, where):
    world = await in_database(World)

    assert [fault for role in ROLES for fault in await wrong_at_socket(here, world, where, role)] == []


async def test_no_command_reaches_another_ones_conversation(here):
    world = await in_database(World)
    async with HerePage(here, "/ws/chat/?last=99", world.cookies["visitor_b"]) as theirs:
        await theirs.until_drawn()
        seen = len(theirs.frames)

        for role in ("agent_lead", "agent_guest"):
            assert await wrong_at_socket(here, world, "/ws/desk/", role, world.foreign.pk) == []
            assert await wrong_at_socket(here, world, "/ws/desk/", role, rights.NEVER_WAS[int]) == []

        await theirs.send("ping")
        await theirs.until(lambda: "pong" in kinds(theirs, seen), "a pong")
        assert kinds(theirs, seen) == ["pong"]


FILES = {
    "visitor_a": ["foreign_draft", "foreign_file", "leads_draft", "note_file"],
    "agent_lead": ["foreign_draft", "foreign_file", "visitors_draft", "handle"],
    "agent_guest": ["foreign_draft", "foreign_file", "visitors_draft", "leads_draft", "handle", "note_file"],
}


def page_of(server, world, role):
    if role.startswith("visitor"):
        return HerePage(server, "/ws/chat/?last=0", world.cookies[role])
    return desk_page(server, world, role)


async def taken_along(server, world, role, names=None):
    """Those files of other people, or of messages sent before, that this person can send or tell from none."""
    taken = []
    where = {} if role.startswith("visitor") else {"conversation": world.talk.pk}
    async with page_of(server, world, role) as page:
        await page.until_drawn()
        nobodys = await sent_along(page, rights.NEVER_WAS[UUID], where)
        for name in names or FILES[role]:
            before = await in_database(rights.dump)
            answer = await sent_along(page, world.names[name], where)
            if answer != nobodys or await in_database(rights.dump) != before:
                taken.append(name)
    assert nobodys[0] == "refused", nobodys
    return taken


async def sent_along(page, handle, where):
    """Send a message with this file: the kind of the answer, and its sentence."""
    key = rights.new_key()
    await page.send("post", key=key, text="Look", files=[str(handle)], **where)
    await page.until(lambda: page.answers(key), f"an answer about {handle}")
    return page.answers(key)[0]["is"], page.answers(key)[0].get("sentence")


@pytest.mark.parametrize("role", FILES)
async def test_no_message_takes_along_another_ones_file(here, role):
    world = await in_database(World)

    assert await taken_along(here, world, role) == []
    own = {"visitor_a": "visitors_draft", "agent_lead": "leads_draft"}.get(role)
    assert own is None or await taken_along(here, world, role, [own]) == [own], "unknown: nobody's file is taken"


async def not_stored_under(server, world, role, messages):
    """Send the same words under the keys of these messages, which are others': those that did not become one's own."""
    wrong = []
    where = {} if role.startswith("visitor") else {"conversation": world.talk.pk}
    async with page_of(server, world, role) as page:
        await page.until_drawn()
        for message in messages:
            mine = Message.objects.filter(conversation=world.talk, key=message.key).exclude(pk=message.pk)
            await page.send("post", key=message.key, text=message.text, **where)
            await page.until(lambda key=message.key: page.answers(key), "an answer")
            answer = page.answers(message.key)[0]
            stored = await in_database(lambda mine=mine: [(one.text, one.number) for one in mine])
            if answer["is"] != "posted" or stored != [(message.text, answer["number"])]:
                wrong.append((message.text, answer, stored))
    return wrong


def messages_of_others(world, role):
    """One of another conversation, and one of the same by somebody else."""
    of_the_talk = Message.objects.filter(conversation=world.talk, text__contains=TALK_MARK)
    return [world.foreign_line, of_the_talk.filter(agent=world.lead if role == "visitor_a" else None)[0]]


@pytest.mark.parametrize("role", ["visitor_a", "agent_lead", "agent_guest"])
async def test_the_key_of_another_ones_message_is_as_good_as_any_other(here, role):
    world = await in_database(World)
    messages = await in_database(messages_of_others, world, role)

    assert await not_stored_under(here, world, role, messages) == []


async def test_a_guest_who_is_put_out_gets_nothing_more_within_five_seconds(here, machine):
    world = await in_database(World)
    async with desk_page(here, world, "agent_guest") as guest, desk_page(here, world, "agent_lead") as lead:
        await guest.until_line(1)
        await guest.until_shown("tasks", f"task-{world.talk.pk}")

        await in_database(conferences.end, world.talk.pk, by=world.lead)
        is_over = guest.until(lambda: f"task-{world.talk.pk}" not in guest.shown["tasks"], "the end of it")
        await in_time(is_over, machine, REVOKED_SECONDS)
        seen = len(guest.frames)
        note = await lead.say_note(f"Among us: {NOTE_MARK}", world.talk.pk)
        await lead.until_line(note["number"])
        answer = await guest.say("I am still here", world.talk.pk)

        assert answer["is"] == "refused"
        assert NOTE_MARK not in str(guest.frames[seen:])


# The proof turns red with each of these


async def test_mutant_anybodys_conversation_is_ones_own_on_sockets(here, monkeypatch):
    world = await in_database(World)
    broken(monkeypatch, access.participation_of, any_place_of)

    assert await wrong_at_socket(here, world, "/ws/desk/", "agent_of_another_queue")


async def test_mutant_notes_go_down_every_socket(here, monkeypatch):
    world = await in_database(World)
    broken(monkeypatch, thread.is_visible, always)

    assert NOTE_MARK in await told_to_visitors(here, world)


async def test_mutant_files_belong_to_nobody_on_sockets(here, monkeypatch):
    world = await in_database(World)
    broken(monkeypatch, files.Sender.own, owned_by_nobody)

    assert "foreign_draft" in await taken_along(here, world, "agent_guest", ["foreign_draft"])


async def test_mutant_a_key_is_everybodys_on_sockets(here, monkeypatch):
    world = await in_database(World)
    messages = await in_database(messages_of_others, world, "visitor_a")
    broken(monkeypatch, messaging._known, known_by_key_alone)

    assert len(await not_stored_under(here, world, "visitor_a", messages)) == 2
