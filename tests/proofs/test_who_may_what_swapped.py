"""
Who may what, with the identifiers of others.

Each identifier of a form or an address is swapped for one of another owner: refused, nothing changed, nothing rung, and
answered like one that never was. What everybody may do with his own is in test_who_may_what.py.
"""

import re

import pytest

from conversations import access
from conversations.actions import messaging
from conversations.models import Message
from tests.pages.browsing import JSON, KEY
from tests.proofs import rights
from tests.proofs.mutants_of_rights import any_place_of, broken, known_by_key_alone
from tests.proofs.rights import FOREIGN_MARK, RIGHTS, Try
from tests.proofs.two_talks import World

ADDRESSES = dict(rights.every_address())

pytestmark = pytest.mark.usefixtures("own_folder")


FOREIGN = {
    "conversation": ["foreign_conversation"],
    "conversation_id": ["foreign_conversation"],
    "mine": ["foreign_conversation", "conversation"],
    "offer": ["foreign_offer"],
    "offer_id": ["foreign_offer"],
    "handle": ["foreign_file", "foreign_draft"],
    "visitors_draft": ["foreign_draft", "leads_draft", "foreign_file"],
    "leads_draft": ["foreign_draft", "visitors_draft", "foreign_file"],
    "reason": ["foreign_reason", "retired_reason"],
    # These are everybody's, as long as they are in use.
    "returns": ["retired_queue"],
    "slug": ["retired_slug"],
    "colleague": ["disabled_agent"],
    "idle_reason": ["retired_idle_reason"],
}
# What belongs to nobody: keys, which are tried below, and the queues in which one may search, retired ones among them.
NOBODYS = {"key"}
SEARCH = "/desk/conversations/"
# These answer with what is one's own, whatever is asked for.
FILTERS = {"/desk/poll/", "/chat/current/poll/", "/chat/current/end/"}


def identifiers_of(address, row, method="POST"):
    """Whose names a request to this address takes."""
    pairs = row.get("ask", []) + (row.get("send", []) if method == "POST" else [])
    words = {word for pair in pairs for word in re.findall(r"{(\w+)}", pair)}
    return (words | set(re.findall(r"<\w+:(\w+)>", address))) - NOBODYS


def swaps_gone_through(addresses=None):
    """Try each address of the desk and the chat with each identifier of another owner's: (how many, which went)."""
    tried, wrong = 0, []
    for address, row in RIGHTS["addresses"].items():
        if address.startswith("/admin/") or address == SEARCH or (addresses and address not in addresses):
            continue
        if not identifiers_of(address, row):
            continue
        world = World(rights.given(address))
        trial = Try(world, address, ADDRESSES[address], row)
        for method in ("GET", "POST"):
            roles = [role for role, wanted in rights.expected(row, method).items() if wanted in rights.DONE]
            for role in set(roles) - {"supervisor", "superuser"}:
                for name in sorted(identifiers_of(address, row, method)):
                    for other in FOREIGN[name]:
                        if name == "mine" and world.names[other] == world.conversation_of(role).pk:
                            continue
                        tried += 1
                        wrong += faults_of_a_swap(trial, method, role, name, other)
    return tried, wrong


def faults_of_a_swap(trial, method, role, name, other):
    what = f"{method} {trial.address} by {role} with {other}"
    theirs = swapped_answer(trial, method, role, name, trial.names[other])
    if theirs.kind in rights.DONE and trial.address not in FILTERS:
        yield f"{what}: {theirs.kind}"
    if theirs.changed or theirs.rang:
        yield f"{what}: changed or rang something"
    if FOREIGN_MARK in theirs.text:
        yield f"{what}: read {FOREIGN_MARK}"
    nobodys = swapped_answer(trial, method, role, name, rights.NEVER_WAS[type(trial.names[other])])
    if (nobodys.kind, words_of(nobodys.text)) != (theirs.kind, words_of(theirs.text)):
        yield f"{what}: the answer says that it exists"


def swapped_answer(trial, method, role, name, value):
    named = {"mine": trial.world.conversation_of(role).pk, name: value}
    data = trial.body(method, **named) or {}
    if name == "colleague" and "to" in data:
        data["to"] = "agent"  # or the queue beside it would be asked
    return trial.answer(role, method, data, trial.path(**named))


def words_of(text):
    """A page without what differs each time: tokens, keys, numbers."""
    return re.sub(r"[A-Za-z0-9]{64}|[0-9a-f-]{36}|\d+", "", text)


@pytest.mark.django_db
def test_no_identifier_of_another_owner_opens_changes_or_rings_anything():
    tried, wrong = swaps_gone_through()

    assert wrong == []
    assert tried > 80


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
    return message.sender == "visitor" and message.conversation.visitor_id == world.conversation_of(role).visitor_id


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


# The proof turns red with each of these


@pytest.mark.django_db
def test_mutant_anybodys_conversation_is_ones_own(monkeypatch):
    broken(monkeypatch, access.participation_of, any_place_of)

    assert swaps_gone_through({"/desk/conversations/<int:conversation_id>/"})[1]


@pytest.mark.django_db
def test_mutant_a_key_is_everybodys(monkeypatch):
    broken(monkeypatch, messaging._known, known_by_key_alone)

    assert keys_gone_through()[1]
