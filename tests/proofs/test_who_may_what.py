"""
P5: who may what.

The table in who_may_what.yaml is tried cell by cell: every address of the resolver with every method, every command of
the sockets, every action of admin, for every kind of person; what it does not list fails. Then every identifier is
swapped for another owner's. Losing a right while a page is open is in tests/live/test_rights.py.
"""

import re

import pytest
from django.contrib import admin
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import path

from config import threads
from config.threads import in_thread
from config.urls import urlpatterns
from conversations import access, groups, thread
from conversations.actions import conferences
from conversations.consumers import ChatConsumer, DeskConsumer
from conversations.pages import current_pages
from conversations.views import desk, files
from tests.live.conftest import here  # noqa: F401
from tests.live.sockets import HerePage, in_database, until
from tests.proofs import rights
from tests.proofs.rights import FOREIGN_MARK, METHODS, NOTE_MARK, RIGHTS, ROLES, TALK_MARK, Try, row_of
from tests.proofs.two_talks import World

DONE = ("ok", "go")
ADDRESSES = dict(rights.every_address())
CONSUMERS = {"/ws/chat/": ChatConsumer, "/ws/desk/": DeskConsumer}
REVOKED_SECONDS = 5


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def given(address):
    return RIGHTS["addresses"][address].get("given", "talk")


def wrong_at(address, *, methods=METHODS):
    """The cells of one address that are not as the table says."""
    return rights.mismatches(address, ADDRESSES[address], World(given(address)), methods)


# The table is complete


def unlisted():
    """What the code has and the table has not, or the other way round."""
    commands = {(where, name) for where, consumer in CONSUMERS.items() for name in {*consumer.commands, "ping"}}
    listed = {
        (where, name) for where, row in RIGHTS["sockets"].items() for name in row if name not in ("opens", "note")
    }
    addresses = {address for address, _pattern in rights.every_address()}
    actions = set(rights.every_admin_action())
    found = addresses ^ set(RIGHTS["addresses"]) | commands ^ listed | actions ^ set(RIGHTS["actions"])
    for address, row in RIGHTS["addresses"].items():
        found |= {(address, method) for method in METHODS if method not in row and rights.OTHERS not in row}
    return found


def test_the_table_lists_every_address_every_command_and_every_action():
    assert unlisted() == set()
    assert len(ADDRESSES) > 100


def test_an_address_that_nobody_listed_is_found(monkeypatch):
    monkeypatch.setattr("config.urls.urlpatterns", urlpatterns)
    urlpatterns.append(path("desk/back-door/", lambda request: HttpResponse("Come in")))
    try:
        assert unlisted() == {"/desk/back-door/"}
    finally:
        urlpatterns.pop()


def test_a_command_that_nobody_listed_is_found(monkeypatch):
    monkeypatch.setattr(DeskConsumer, "commands", DeskConsumer.commands | {"listen"})

    assert unlisted() == {("/ws/desk/", "listen")}


# Cell by cell


@pytest.mark.django_db
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_method_of_an_address_is_for_whom_the_table_says(address):
    assert wrong_at(address) == []


@pytest.mark.django_db
def test_every_action_of_admin_is_for_whom_the_table_says():
    world, wrong = World(), []
    for action, values in RIGHTS["actions"].items():
        label, _blank, name = action.partition(" ")
        address = f"/admin/{label.replace('.', '/')}/"
        trial = Try(world, address, ADDRESSES[address], {})
        for role, wanted in row_of(values).items():
            answer = trial.answer(role, "POST", {"action": name, "_selected_action": 1})
            kind = answer.kind if answer.kind in ("in", "403") else offered(label, name, world.person(role))
            if kind != wanted or (wanted != "ok" and (answer.changed or answer.rang)):
                wrong.append(f"{action} by {role}: {kind} instead of {wanted}")
    assert wrong == []


def offered(label, name, agent):
    """Whether the list of admin has this action for this person."""
    request = RequestFactory().get("/")
    request.user = agent
    model_admin = next(one for model, one in admin.site._registry.items() if model._meta.label_lower == label)
    return "ok" if name in model_admin.get_actions(request) else "no"


# Every identifier swapped

FOREIGN = {
    "conversation": ["foreign_conversation"],
    "conversation_id": ["foreign_conversation"],
    "offer": ["foreign_offer"],
    "offer_id": ["foreign_offer"],
    "handle": ["foreign_file", "foreign_draft"],
    "visitors_draft": ["foreign_draft", "leads_draft", "foreign_file"],
    "leads_draft": ["foreign_draft", "visitors_draft", "foreign_file"],
    "reason": ["foreign_reason"],
}
# What belongs to nobody: any queue and any colleague may be asked, and reasons to be idle are everybody's.
NOBODYS = {"returns", "colleague", "idle_reason", "key", "slug"}
# These answer with what is one's own, whatever is asked for.
FILTERS = {"/desk/poll/"}


def identifiers_of(address, row, method="POST"):
    """Whose names a request to this address takes."""
    pairs = row.get("ask", []) + (row.get("send", []) if method == "POST" else [])
    words = {word for pair in pairs for word in re.findall(r"{(\w+)}", pair)}
    return (words | set(re.findall(r"<\w+:(\w+)>", address))) - NOBODYS


def swaps_gone_through(addresses=None):
    """Try each address of the desk and the chat with each identifier of another owner's: (how many, which went)."""
    tried, wrong = 0, []
    for address, row in RIGHTS["addresses"].items():
        if address.startswith("/admin/") or (addresses and address not in addresses):
            continue
        if not identifiers_of(address, row):
            continue
        world = World(given(address))
        trial = Try(world, address, ADDRESSES[address], row)
        for method in ("GET", "POST"):
            roles = [role for role, wanted in rights.expected(row, method).items() if wanted in DONE]
            for role in set(roles) - {"supervisor", "superuser"}:
                for name in sorted(identifiers_of(address, row, method)):
                    for other in FOREIGN[name]:
                        tried += 1
                        wrong += faults_of_a_swap(trial, method, role, name, other)
    return tried, wrong


def faults_of_a_swap(trial, method, role, name, other):
    what = f"{method} {trial.address} by {role} with {other}"
    theirs = swapped_answer(trial, method, role, name, trial.names[other])
    if theirs.kind in DONE and trial.address not in FILTERS:
        yield f"{what}: {theirs.kind}"
    if theirs.changed or theirs.rang:
        yield f"{what}: changed or rang something"
    if FOREIGN_MARK in theirs.text:
        yield f"{what}: read {FOREIGN_MARK}"
    if name in ("conversation", "conversation_id", "offer", "offer_id"):
        nobodys = swapped_answer(trial, method, role, name, trial.names["unknown"])
        if (nobodys.kind, words_of(nobodys.text)) != (theirs.kind, words_of(theirs.text)):
            yield f"{what}: the answer says that it exists"


def swapped_answer(trial, method, role, name, value):
    return trial.answer(role, method, trial.body(method, **{name: value}) or {}, trial.path(**{name: value}))


def words_of(text):
    """A page without what differs each time: tokens, keys, numbers."""
    return re.sub(r"[A-Za-z0-9]{64}|[0-9a-f-]{36}|\d+", "", text)


@pytest.mark.django_db
def test_no_identifier_of_another_owner_opens_changes_or_rings_anything():
    tried, wrong = swaps_gone_through()

    assert wrong == []
    assert tried > 50


@pytest.mark.django_db
def test_rows_of_another_queue_cannot_be_edited_through_a_queues_page():
    world = World()
    page = Try(world, "/admin/queues/queue/<path:object_id>/change/", None, {})
    mine, theirs = world.orders.pk, world.foreign_reason
    path_, text = f"/admin/queues/queue/{mine}/change/", ""
    for role in ("supervisor", "superuser"):
        text = page.answer(role, "GET", {}, path_).text
        fields = rights.form_fields(text)
        prefix = next(name for name in fields if name.endswith("-TOTAL_FORMS") and "closing" in name).rpartition("-")[0]
        forged = {f"{prefix}-0-id": theirs.pk, f"{prefix}-0-label": "Stolen", f"{prefix}-0-queue": mine}
        counts = {f"{prefix}-TOTAL_FORMS": 1, f"{prefix}-INITIAL_FORMS": 1}
        with rights.undone():
            page.request(role, "POST", {**fields, **counts, **forged}, path_)
            theirs.refresh_from_db()
            assert (theirs.label, theirs.queue_id) == ("Refunded", world.returns.pk)


# Notes


@pytest.mark.django_db
def test_a_file_of_a_note_is_for_colleagues_of_the_conversation_alone():
    world = World()
    for address in ("/files/<uuid:handle>/", "/files/<uuid:handle>/thumbnail/"):
        trial = Try(world, address, ADDRESSES[address], {})
        for role in ROLES:
            answer = trial.answer(role, "GET", {}, trial.path(handle=world.note_file.handle))
            assert answer.kind == ("ok" if role in rights.STAFF_OF_THE_TALK else "404"), role


async def test_no_socket_tells_a_visitor_of_a_note(here):  # noqa: F811
    world = await in_database(World)
    told = await told_to_visitors(here, world)

    assert TALK_MARK in told
    assert NOTE_MARK not in told


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


# Sockets


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
        "open": lambda: f'"conversation": {conversation_id}' in str(page.frames[seen:]).replace("'", '"')
        or f"panel-{conversation_id}" in str(page.frames[seen:]),
        "typing": lambda: "typing" in ear.heard,
    }.get(command)  # fmt: skip
    if has_done is not None:
        return "ok" if has_done() else "nothing"
    return "ok" if await in_database(rights.dump) != before else "nothing"


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
    own = {"visitor_b": world.foreign.pk, "ended_visitor": world.ended.pk}.get(role, world.talk.pk)
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


@pytest.mark.parametrize("where", CONSUMERS)
async def test_every_command_of_a_socket_is_for_whom_the_table_says(here, where):  # noqa: F811
    world = await in_database(World)

    assert [fault for role in ROLES for fault in await wrong_at_socket(here, world, where, role)] == []


async def test_no_command_reaches_another_ones_conversation(here):  # noqa: F811
    world = await in_database(World)
    async with HerePage(here, "/ws/chat/?last=99", world.cookies["visitor_b"]) as theirs:
        await theirs.until_drawn()
        seen = len(theirs.frames)

        for role in ("agent_lead", "agent_guest"):
            assert await wrong_at_socket(here, world, "/ws/desk/", role, world.foreign.pk) == []
            assert await wrong_at_socket(here, world, "/ws/desk/", role, world.names["unknown"]) == []

        await theirs.send("ping")
        await theirs.until(lambda: "pong" in kinds(theirs, seen), "a pong")
        assert kinds(theirs, seen) == ["pong"]


@pytest.mark.parametrize("file", ["foreign_draft", "foreign_file", "leads_draft", "note_file"])
async def test_no_message_takes_along_another_ones_file(here, file):  # noqa: F811
    world = await in_database(World)
    async with HerePage(here, "/ws/chat/?last=0", world.cookies["visitor_a"]) as chat:
        await chat.until_drawn()
        before = await in_database(rights.dump)
        key = rights.new_key()

        await chat.send("post", key=key, text="Look", files=[str(world.names[file])])
        await chat.until(lambda: chat.answers(key), "an answer")

        assert chat.answers(key)[0]["is"] == "refused"
        assert await in_database(rights.dump) == before


async def test_a_guest_who_is_put_out_gets_nothing_more_within_five_seconds(here):  # noqa: F811
    world = await in_database(World)
    async with desk_page(here, world, "agent_guest") as guest, desk_page(here, world, "agent_lead") as lead:
        await guest.until_line(1)
        await guest.until_shown("tasks", f"task-{world.talk.pk}")

        await in_database(conferences.end, world.talk.pk, by=world.lead)
        await guest.until(
            lambda: f"task-{world.talk.pk}" not in guest.shown["tasks"], "the end of it", seconds=REVOKED_SECONDS
        )
        seen = len(guest.frames)
        note = await lead.say_note(f"Among us: {NOTE_MARK}", world.talk.pk)
        await lead.until_line(note["number"])
        answer = await guest.say("I am still here", world.talk.pk)

        assert answer["is"] == "refused"
        assert NOTE_MARK not in str(guest.frames[seen:])


# The proof turns red with each of these


def any_place_of(agent, conversation_id):
    found = Participant.objects.select_related("conversation__queue").filter(  # noqa: F821
        conversation=conversation_id, left_at=None
    )
    if not found:
        raise Gone  # noqa: F821
    return found[0]


def everything_visible(audience, messages):
    return messages


def always(*whatever):
    return True


def broken(monkeypatch, function, by):
    """Everybody who imported the function gets the broken one."""
    monkeypatch.setattr(function, "__code__", by.__code__)


@pytest.mark.django_db
def test_mutant_anybodys_conversation_is_ones_own(monkeypatch):
    broken(monkeypatch, access.participation_of, any_place_of)

    assert wrong_at("/desk/conversations/<int:conversation_id>/")
    assert wrong_at("/desk/poll/")
    assert swaps_gone_through({"/desk/conversations/<int:conversation_id>/"})[1]


async def test_mutant_anybodys_conversation_is_ones_own_on_sockets(here, monkeypatch):  # noqa: F811
    world = await in_database(World)
    broken(monkeypatch, access.participation_of, any_place_of)

    assert await wrong_at_socket(here, world, "/ws/desk/", "agent_of_another_queue")


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/chat/current/", "/chat/current/thread/", "/chat/current/earlier/"])
def test_mutant_notes_are_for_everybody(monkeypatch, address):
    """What is read and what is drawn: each of the two would keep them back alone."""
    broken(monkeypatch, thread.visible_to, everything_visible)
    broken(monkeypatch, thread.is_visible, always)

    assert f"GET {address} by visitor_a: read {NOTE_MARK}" in wrong_at(address, methods=["GET"])


@pytest.mark.django_db
def test_mutant_drawn_notes_are_for_everybody(monkeypatch):
    broken(monkeypatch, thread.is_visible, always)

    assert f"GET /chat/current/poll/ by visitor_a: read {NOTE_MARK}" in wrong_at("/chat/current/poll/", methods=["GET"])


async def test_mutant_notes_go_down_every_socket(here, monkeypatch):  # noqa: F811
    world = await in_database(World)
    broken(monkeypatch, thread.is_visible, always)

    assert NOTE_MARK in await told_to_visitors(here, world)


@pytest.mark.django_db
def test_mutant_files_of_notes_are_for_everybody(monkeypatch):
    broken(monkeypatch, files._may_visitor_read, always)

    assert wrong_at("/files/<uuid:handle>/", methods=["GET"])


@pytest.mark.django_db
def test_mutant_a_view_without_a_sign_in(monkeypatch):
    pattern = ADDRESSES["/desk/state/"]
    monkeypatch.setattr(pattern, "callback", rights.unwrapped(desk.change_state))

    assert any("by anonymous" in fault for fault in wrong_at("/desk/state/", methods=["POST"]))
