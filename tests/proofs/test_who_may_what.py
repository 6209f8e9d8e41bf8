"""
Who may what.

The table in who_may_what.yaml is tried cell by cell: every address of the resolver with every method and every action
of admin, for every kind of person; what it does not list fails. The identifiers of others are in
test_who_may_what_swapped.py, the commands of the sockets in test_who_may_what_on_sockets.py, and losing a right while a
page is open in tests/live/test_rights.py.
"""

import math
from pathlib import Path

import pytest
from channels.generic.websocket import AsyncWebsocketConsumer
from django import forms
from django.apps import apps
from django.contrib import admin
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import path, re_path

from config import probes
from config.health import health
from config.middleware import ContentSecurityPolicyMiddleware
from config.urls import urlpatterns
from conversations import access, thread
from conversations.consumers import DeskConsumer
from conversations.search import SearchForm
from conversations.views import desk, files
from tests.proofs import rights
from tests.proofs.mutants_of_rights import always, any_place_of, broken, everything_visible
from tests.proofs.rights import METHODS, NOTE_MARK, RIGHTS, ROLES, TALK_MARK, Try, row_of
from tests.proofs.two_talks import ENDED_LINE, World

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


def wrong_at(address, *, methods=METHODS):
    """The cells of one address that are not as the table says."""
    return rights.mismatches(address, ADDRESSES[address], World(rights.given(address)), methods)


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
def test_a_field_that_nobody_listed_is_found(monkeypatch):
    def with_a_back_door(request):
        request.POST.get("back_door")
        return desk.change_state(request)

    monkeypatch.setattr(ADDRESSES["/desk/state/"], "callback", with_a_back_door)
    monkeypatch.setitem(SearchForm.base_fields, "back_door", forms.CharField(required=False))

    assert wrong_at("/desk/state/") == ["/desk/state/ reads back_door, which the table does not send"]
    assert wrong_at("/desk/conversations/") == ["/desk/conversations/ reads back_door, which the table does not ask"]


def wrong_actions():
    """Each action of admin with the first row of its list: who may do, or changes, what the table does not say."""
    world, wrong = World(), []
    for action, values in RIGHTS["actions"].items():
        label, _blank, name = action.partition(" ")
        address = f"/admin/{label.replace('.', '/')}/"
        row = apps.get_model(label).objects.order_by("pk").first()
        assert row, f"unknown: there is no row for {action}"
        trial = Try(world, address, ADDRESSES[address], {})
        for role, wanted in row_of(values).items():
            answer = trial.answer(role, "POST", {"action": name, "_selected_action": row.pk})
            kind = answer.kind if answer.kind in ("in", "403") else offered(label, name, world.person(role))
            if kind != wanted or (wanted != "ok" and (answer.changed or answer.rang)):
                wrong.append(f"{action} by {role}: {kind} instead of {wanted}")
    return wrong


@pytest.mark.django_db
def test_every_action_of_admin_is_for_whom_the_table_says():
    assert wrong_actions() == []


def offered(label, name, agent):
    """Whether the list of admin has this action for this person."""
    request = RequestFactory().get("/")
    request.user = agent
    model_admin = next(one for model, one in admin.site._registry.items() if model._meta.label_lower == label)
    return "ok" if name in model_admin.get_actions(request) else "no"


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
def test_mutant_actions_of_admin_without_their_permission(monkeypatch):
    monkeypatch.setattr(admin.ModelAdmin, "_filter_actions_by_permissions", lambda self, request, actions: actions)

    assert "conversations.conversation delete_selected by supervisor: ok instead of no" in wrong_actions()


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/", "/desk/", "/nowhere"])
def test_mutant_answers_without_a_policy(monkeypatch, address):
    monkeypatch.setattr(ContentSecurityPolicyMiddleware, "__call__", lambda self, request: self.get_response(request))

    assert "frame-ancestors" in Try(World(), address, None, {}).answer("agent_lead", "GET").bare


@pytest.mark.django_db
def test_mutant_numbers_for_everybody(monkeypatch):
    broken(monkeypatch, probes.numbers, probes.alive)

    assert any("by anonymous" in fault for fault in wrong_at("/metrics", methods=["GET"]))
