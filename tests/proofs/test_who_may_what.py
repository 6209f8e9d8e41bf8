"""
Who may what.

The table in who_may_what.yaml is tried cell by cell: every address of the resolver with every method and every action
of admin, for every kind of person; what it does not list fails. Then every identifier is swapped for another owner's.
The commands of the sockets are in test_who_may_what_on_sockets.py, and losing a right while a page is open in
tests/live/test_rights.py.
"""

import math
import re
from pathlib import Path

import pytest
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib import admin
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import path, re_path

from config import probes
from config.health import health
from config.middleware import ContentSecurityPolicyMiddleware
from config.urls import urlpatterns
from conversations import access, thread
from conversations.actions import messaging
from conversations.consumers import DeskConsumer
from conversations.models import Message
from conversations.views import desk, files
from tests.pages.browsing import JSON, KEY
from tests.proofs import rights
from tests.proofs.mutants_of_rights import always, any_place_of, broken, everything_visible, known_by_key_alone
from tests.proofs.rights import FOREIGN_MARK, METHODS, NOTE_MARK, RIGHTS, ROLES, TALK_MARK, Try, row_of
from tests.proofs.two_talks import ENDED_LINE, World

DONE = ("ok", "go")
ADDRESSES = dict(rights.every_address()) | dict.fromkeys(sorted(rights.every_probe()))
PROMISES = Path(__file__).resolve().parents[2] / "docs" / "promises.md"

pytestmark = pytest.mark.usefixtures("own_folder", "ready_portal")


@pytest.fixture
def ready_portal(monkeypatch, settings):
    """What probes look at, as it is where a router runs and somebody has the token for the numbers."""
    monkeypatch.setattr(health, "swept_at", math.inf)
    monkeypatch.setattr(health, "heard_at", math.inf)
    settings.METRICS_TOKEN = "not told to anybody here"
    settings.SECURE_HSTS_SECONDS = rights.ONE_YEAR


def given(address):
    return rights.ROWS[address].get("given", "talk")


def wrong_at(address, *, methods=METHODS):
    """The cells of one address that are not as the table says."""
    return rights.mismatches(address, ADDRESSES[address], World(given(address)), methods)


# The table is complete


def unlisted():
    """What the code has and the table has not, or the other way round."""
    commands = set(rights.every_command())
    listed = {(where, name) for where, row in RIGHTS["sockets"].items() for name in row if name != "note"}
    addresses = {address for address, _pattern in rights.every_address()} | rights.every_probe()
    actions = set(rights.every_admin_action())
    found = addresses ^ set(rights.ROWS) | commands ^ listed | actions ^ set(RIGHTS["actions"])
    for address, row in rights.ROWS.items():
        found |= {(address, method) for method in METHODS if method not in row and rights.OTHERS not in row}
    return found


def test_the_table_lists_every_address_every_command_and_every_action():
    assert unlisted() == set()
    assert len(ADDRESSES) > 100


def test_the_promise_says_how_much_was_tried():
    commands = sum(len(row) - 1 for row in RIGHTS["sockets"].values())  # to open one is no command
    tried = (
        f"{len(ADDRESSES)} addresses × {len(METHODS)} methods × {len(ROLES)} kinds of people, "
        f"{len(RIGHTS['actions'])} actions of admin, {commands} commands of {len(RIGHTS['sockets'])} sockets"
    )
    print(tried)

    assert tried in " ".join(PROMISES.read_text(encoding="utf-8").split())


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


def test_a_socket_that_nobody_listed_is_found(monkeypatch):
    back_door = re_path("^ws/back-door/$", AsyncWebsocketConsumer.as_asgi())
    monkeypatch.setattr(rights.socket_router(), "routes", [*rights.socket_router().routes, back_door])

    assert ("/^ws/back-door/$", "opens") in unlisted()


def test_a_probe_that_nobody_listed_is_found(monkeypatch):
    def with_one_more(self, get_response):
        set_up(self, get_response)
        self.probes["/debugz"] = probes.alive

    set_up = probes.ProbesMiddleware.__init__
    monkeypatch.setattr(probes.ProbesMiddleware, "__init__", with_one_more)

    assert unlisted() == {"/debugz"}


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
# What belongs to nobody: any queue and any colleague may be asked, and reasons to be idle are everybody's; keys are
# tried below.
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


# Where one posts under a key: who does it, and that it may be the first message of a conversation.
POSTED = {
    "/chat/current/messages/": ("visitor_a", "visitor_b"),
    "/desk/conversations/<int:conversation_id>/messages/": ("agent_lead", "agent_guest"),
    "/chat/<str:slug>/": ("ended_visitor",),
}


def keys_gone_through():
    """Post under the key of every message of others, with its words and with one's own: (how many, what went wrong)."""
    tried, wrong, world = 0, [], World()
    messages = list(Message.objects.exclude(key="").select_related("conversation"))
    for address, roles in POSTED.items():
        trial = Try(world, address, ADDRESSES[address], {})
        for role in roles:
            for message in messages:
                if is_by(message, world, role):
                    continue
                for text in {"Hello", message.text or "Hello"}:
                    fresh, under = (posted(trial, role, key, text) for key in (KEY, message.key))
                    assert fresh[0] == [text], f"unknown: a key of one's own does not do it: {fresh}"
                    tried += 1
                    if under != fresh:
                        wrong.append(f"{address} by {role} under the key of {message.text!r}: {under}, not {fresh}")
    return tried, wrong


def is_by(message, world, role):
    if agent := world.person(role):
        return message.agent_id == agent.pk and message.conversation_id == world.talk.pk
    own = {"visitor_a": world.talk, "visitor_b": world.foreign, "ended_visitor": world.ended}[role]
    return message.sender == "visitor" and message.conversation.visitor_id == own.visitor_id


def posted(trial, role, key, text):
    """What it brings about: the new messages of one's own, how many others, and the answer without its numbers."""
    last = Message.objects.order_by("-pk").first().pk
    data = {"key": key, "text": text, "question": text, "name": "Zoe", "email": "", "page": ""}
    with rights.undone(keeps_rows=False):
        response = trial.request(role, "POST", data, headers=JSON)
        answer = words_of(rights.text_of(response).replace(key, ""))
        new = list(Message.objects.filter(pk__gt=last).select_related("conversation"))
        mine = [message.text for message in new if is_by(message, trial.world, role)]
        return mine, len(new) - len(mine), rights.class_of(response), answer


@pytest.mark.django_db
def test_the_key_of_another_ones_message_is_as_good_as_any_other():
    tried, wrong = keys_gone_through()

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


CHAT = [f"/chat/current/{page}" for page in ("", "thread/", "poll/", "earlier/", "end/")]


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["talk", "wrap_up", "asked", "alone"])
def test_no_page_of_a_visitor_holds_a_note_whatever_the_conversation_is_in(given):
    world = World(given)
    for address in CHAT:
        for role, line in {"visitor_a": TALK_MARK, "ended_visitor": ENDED_LINE}.items():
            text = Try(world, address, ADDRESSES[address], RIGHTS["addresses"][address]).answer(role, "GET").text
            assert NOTE_MARK not in text, (address, role)
            assert line in text or address.endswith("/end/"), (address, role)


# The proof turns red with each of these


@pytest.mark.django_db
def test_mutant_anybodys_conversation_is_ones_own(monkeypatch):
    broken(monkeypatch, access.participation_of, any_place_of)

    assert wrong_at("/desk/conversations/<int:conversation_id>/")
    assert wrong_at("/desk/poll/")
    assert swaps_gone_through({"/desk/conversations/<int:conversation_id>/"})[1]


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/chat/current/", "/chat/current/thread/", "/chat/current/earlier/"])
def test_mutant_notes_are_for_everybody(monkeypatch, address):
    """What is read and what is drawn: each of the two would keep them back alone."""
    broken(monkeypatch, thread.visible_to, everything_visible)
    broken(monkeypatch, thread.is_visible, always)

    wrong = wrong_at(address, methods=["GET"])
    assert f"GET {address} by visitor_a: read {NOTE_MARK}" in wrong
    assert f"GET {address} by ended_visitor: read {NOTE_MARK}" in wrong


@pytest.mark.django_db
def test_mutant_drawn_notes_are_for_everybody(monkeypatch):
    broken(monkeypatch, thread.is_visible, always)

    wrong = wrong_at("/chat/current/poll/", methods=["GET"])
    assert f"GET /chat/current/poll/ by visitor_a: read {NOTE_MARK}" in wrong
    assert f"GET /chat/current/poll/ by ended_visitor: read {NOTE_MARK}" in wrong


@pytest.mark.django_db
def test_mutant_files_of_notes_are_for_everybody(monkeypatch):
    broken(monkeypatch, files._may_visitor_read, always)

    assert wrong_at("/files/<uuid:handle>/", methods=["GET"])


@pytest.mark.django_db
def test_mutant_a_view_without_a_sign_in(monkeypatch):
    monkeypatch.setattr(ADDRESSES["/desk/state/"], "callback", rights.unwrapped(desk.change_state))

    assert any("by anonymous" in fault for fault in wrong_at("/desk/state/", methods=["POST"]))


@pytest.mark.django_db
def test_mutant_a_key_is_everybodys(monkeypatch):
    broken(monkeypatch, messaging._known, known_by_key_alone)

    assert keys_gone_through()[1]


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/", "/desk/", "/nowhere"])
def test_mutant_answers_without_a_policy(monkeypatch, address):
    monkeypatch.setattr(ContentSecurityPolicyMiddleware, "__call__", lambda self, request: self.get_response(request))

    assert "frame-ancestors" in Try(World(), address, None, {}).answer("agent_lead", "GET").bare


@pytest.mark.django_db
def test_mutant_numbers_for_everybody(monkeypatch):
    broken(monkeypatch, probes.numbers, probes.alive)

    assert any("by anonymous" in fault for fault in wrong_at("/metrics", methods=["GET"]))
