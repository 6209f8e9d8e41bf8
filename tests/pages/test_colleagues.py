"""Asking colleagues over HTTP: the dialogs, every refusal with its status and sentence, and the sounds of the desk."""

import pytest
from django.urls import reverse

from agents.states import AgentState
from conversations.states import OfferKind, OfferState, Role, State
from tests import make
from tests.pages.browsing import HTMX, Page, desk_of, everything

pytestmark = pytest.mark.django_db

NOT_AVAILABLE = "This agent is not available at the moment."
FULL = "This agent has no free place at the moment."
NOT_LEAD = "Only the agent who leads the conversation can do this."
MOVED_ON = "This is not possible now: the conversation has moved on."
ASKED_ALREADY = "Somebody has already been asked."
ONESELF = "You have this conversation already."
NOT_THERE = "There is no such conversation here."
BOTH = pytest.mark.parametrize("name", ["transfer", "conference"])


@pytest.fixture
def lucia():
    return make.agent("Lucía", queues=[make.queue("Orders")])


@pytest.fixture
def jonas():
    return make.agent("Jonas", queues=[make.queue("Logistics")], capacity=4)


@pytest.fixture
def talk(lucia):
    return make.active_conversation(lead=lucia)


def address(name, conversation):
    return reverse(f"desk:{name}", args=[conversation.pk])


def refused(by, name, conversation, status, sentence, **fields):
    """The request is refused with that status and sentence, and nothing changed."""
    before = everything()

    response = desk_of(by).post(address(name, conversation), fields, headers=HTMX)

    assert response.status_code == status
    assert sentence in Page(response).elements[0].text
    assert everything() == before


# The dialogs


def test_the_dialog_lists_colleagues_with_state_queues_and_load(lucia, jonas, talk):
    make.agent("Amadou", state=AgentState.IDLE, idle_reason=make.idle_reason("Lunch"))
    make.agent("Gone", state=AgentState.OFFLINE)
    make.agent("Wanjiru", capacity=0)

    page = Page(desk_of(lucia).get(address("transfer", talk), headers=HTMX))

    rows = [row.text for row in page.all("label", class_="choice") + page.all("label", class_="choice choice-off")]
    assert page.elements[0].tag == "dialog"
    assert [row for row in rows if "waiting" not in row] == [
        "Jonas Logistics 0 of 4",
        "Amadou Idle · Lunch 0 of 5",
        "Wanjiru No free place 0 of 0",
    ]
    assert [radio["value"] for radio in page.all("input", name="agent") if "disabled" not in radio] == [str(jonas.pk)]


def test_engaged_is_who_is_available_or_idle_with_a_conversation_open(lucia, jonas, talk):
    make.active_conversation(lead=make.agent("Amadou", state=AgentState.IDLE))
    make.offer(to=make.agent("Wanjiru"))  # it only rings

    page = Page(desk_of(lucia).get(address("transfer", talk), headers=HTMX))

    dots = [dot["data-state"] for dot in page.all("span", class_="dot") if dot.get("data-state")]
    assert dots[:3] == ["available", "available", "engaged"]  # Jonas, Wanjiru, Amadou; then come the queues
    assert [row.text for row in page.all("label", class_="choice choice-off")] == ["Amadou Idle 1 of 5"]


def test_the_dialog_lists_queues_with_their_line(lucia, talk):
    make.closed_queue("Night")
    make.waiting_conversation(queue=make.queue("Returns"))

    page = Page(desk_of(lucia).get(address("transfer", talk), headers=HTMX))

    rows = [row.text for row in page.all("label") if "waiting" in row.text]
    assert rows == [
        "Night Closed 0 waiting · 0 available",
        "Orders Open · this conversation's queue 0 waiting · 1 available",
        "Returns Open 1 waiting · 0 available",
    ]
    assert [("disabled" in radio) for radio in page.all("input", name="queue")] == [True, False, False]


def test_the_dialog_conference_lists_who_is_available(lucia, jonas, talk):
    make.agent("Amadou", state=AgentState.IDLE)

    page = Page(desk_of(lucia).get(address("conference", talk), headers=HTMX))

    assert [radio["value"] for radio in page.all("input", name="agent")] == [str(jonas.pk)]


@BOTH
def test_without_script_the_dialog_is_a_page(lucia, talk, name):
    page = Page(desk_of(lucia).get(address(name, talk)))

    assert page.one("form", action=address(name, talk))["method"] == "post"


@BOTH
def test_the_dialog_of_somebody_elses_conversation_is_not_there(jonas, talk, name):
    assert desk_of(jonas).get(address(name, talk)).status_code == 404


@BOTH
def test_who_is_not_signed_in_is_asked_to(client, talk, name):
    response = client.post(address(name, talk), {"agent": "1"})

    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in/")


# What is done


@pytest.mark.parametrize(("name", "kind"), [("transfer", OfferKind.TRANSFER), ("conference", OfferKind.CONFERENCE)])
def test_a_colleague_is_asked_with_a_note(lucia, jonas, talk, name, kind):
    response = desk_of(lucia).post(address(name, talk), {"agent": jonas.pk, "note": "She moved."}, headers=HTMX)

    offer = talk.offers.get(state=OfferState.PENDING)
    assert response.status_code == 204
    assert (offer.kind, offer.agent, offer.made_by, offer.note) == (kind, jonas, lucia, "She moved.")


def test_a_plain_form_leads_back_to_the_conversation(lucia, jonas, talk):
    response = desk_of(lucia).post(address("transfer", talk), {"to": "agent", "agent": jonas.pk})

    assert response["Location"] == address("conversation", talk)


def test_the_panel_shows_who_is_asked_and_how_to_cancel(lucia, jonas, talk):
    make.offer(to=jonas, conversation=talk, kind=OfferKind.TRANSFER, made_by=lucia)

    page = Page(desk_of(lucia).get(address("conversation", talk)))

    panel = page.one("header", id=f"panel-{talk.pk}")
    assert "Transfer requested · Jonas" in panel.text
    assert "Cancel transfer" in page.buttons()
    assert "disabled" in page.one("button", id=f"transfer-{talk.pk}")


def test_a_guest_can_leave_and_neither_transfer_invite_nor_end(jonas, talk):
    make.participant(talk, jonas, role=Role.GUEST)

    buttons = Page(desk_of(jonas).get(address("conversation", talk))).buttons()

    assert "Leave conference" in buttons
    assert not {"Transfer", "Conference", "End", "End conference"} & set(buttons)


def test_with_three_guests_nobody_more_can_be_invited(lucia, talk):
    for name in ("Jonas", "Sofía", "Wanjiru"):
        make.participant(talk, make.agent(name), role=Role.GUEST)

    page = Page(desk_of(lucia).get(address("conversation", talk)))

    assert "Conference · Jonas, Sofía, Wanjiru" in page.one("header", id=f"panel-{talk.pk}").text
    assert "disabled" in page.one("button", id=f"conference-{talk.pk}")
    assert "End conference" in page.buttons()


# What is refused


@BOTH
def test_asking_oneself(lucia, talk, name):
    refused(lucia, name, talk, 422, ONESELF, agent=lucia.pk)


@BOTH
@pytest.mark.parametrize("state", [AgentState.IDLE, AgentState.RONA, AgentState.OFFLINE])
def test_asking_who_is_not_available(lucia, talk, name, state):
    refused(lucia, name, talk, 409, NOT_AVAILABLE, agent=make.agent("Jonas", state=state).pk)


@BOTH
def test_asking_whose_desk_is_not_connected(lucia, talk, name):
    refused(lucia, name, talk, 409, NOT_AVAILABLE, agent=make.agent("Jonas", is_connected=False).pk)


@BOTH
def test_asking_who_is_full(lucia, talk, name):
    refused(lucia, name, talk, 409, FULL, agent=make.agent("Jonas", capacity=0).pk)


@BOTH
def test_asking_who_does_not_exist(lucia, talk, name):
    refused(lucia, name, talk, 409, NOT_AVAILABLE, agent="999999")


@BOTH
@pytest.mark.parametrize("agent", ["", "-1", "abc", "٣", "9" * 30])
def test_asking_nobody(lucia, talk, name, agent):
    refused(lucia, name, talk, 422, "Choose a colleague first.", agent=agent)


@BOTH
def test_asking_while_somebody_is_asked(lucia, jonas, talk, name):
    make.offer(to=jonas, conversation=talk, kind=OfferKind.CONFERENCE, made_by=lucia)

    refused(lucia, name, talk, 409, ASKED_ALREADY, agent=make.agent("Sofía").pk)


@BOTH
def test_asking_as_a_guest(jonas, talk, name):
    make.participant(talk, jonas, role=Role.GUEST)

    refused(jonas, name, talk, 409, NOT_LEAD, agent=make.agent("Sofía").pk)


@BOTH
def test_asking_after_the_end(lucia, jonas, name):
    refused(lucia, name, make.wrap_up_conversation(lead=lucia), 409, MOVED_ON, agent=jonas.pk)


@BOTH
def test_asking_in_a_closed_conversation(lucia, jonas, name):
    refused(lucia, name, make.closed_conversation(lead=lucia), 404, NOT_THERE, agent=jonas.pk)


@BOTH
def test_asking_in_somebody_elses_conversation(jonas, talk, name):
    refused(jonas, name, talk, 404, NOT_THERE, agent=make.agent("Sofía").pk)


def test_transferring_to_a_closed_queue(lucia, talk):
    night = make.closed_queue("Night")

    refused(lucia, "transfer", talk, 409, "This queue is closed at the moment.", to="queue", queue=night.pk)


def test_transferring_to_a_retired_queue(lucia, talk):
    old = make.queue("Old", is_in_use=False)

    refused(lucia, "transfer", talk, 404, "This queue is not in use any more.", to="queue", queue=old.pk)


def test_transferring_to_no_queue(lucia, talk):
    refused(lucia, "transfer", talk, 422, "Choose a queue first.", to="queue", queue="")


def test_transferring_to_a_queue_as_a_guest(jonas, talk):
    make.participant(talk, jonas, role=Role.GUEST)

    refused(jonas, "transfer", talk, 409, NOT_LEAD, to="queue", queue=make.queue("Returns").pk)


def test_inviting_twice(lucia, jonas, talk):
    make.participant(talk, jonas, role=Role.GUEST)

    refused(lucia, "conference", talk, 409, "This colleague is in the conversation already.", agent=jonas.pk)


def test_inviting_a_fourth_guest(lucia, jonas, talk):
    for _ in range(3):
        make.participant(talk, make.agent(), role=Role.GUEST)

    refused(lucia, "conference", talk, 409, "Three colleagues have joined already", agent=jonas.pk)


def test_cancelling_what_nobody_asked(lucia, talk):
    refused(lucia, "cancel-request", talk, 409, "There is nothing to cancel any more")


def test_cancelling_as_a_guest(jonas, talk):
    make.participant(talk, jonas, role=Role.GUEST)

    refused(jonas, "cancel-request", talk, 409, NOT_LEAD)


def test_ending_a_conference_that_is_none(lucia, talk):
    refused(lucia, "end-conference", talk, 409, "There is no conference to end")


def test_ending_a_conference_as_a_guest(jonas, talk):
    make.participant(talk, jonas, role=Role.GUEST)

    refused(jonas, "end-conference", talk, 409, NOT_LEAD)


def test_leaving_as_the_lead(lucia, talk):
    refused(lucia, "leave-conference", talk, 409, "You lead this conversation, so you cannot leave it.")


def test_leaving_what_one_is_not_in(jonas, talk):
    refused(jonas, "leave-conference", talk, 404, NOT_THERE)


# Accept N requests


def accept_all(agent, *offers):
    return desk_of(agent).post(reverse("desk:accept-all"), {"offer": [offer.pk for offer in offers]}, headers=HTMX)


def test_all_requests_are_accepted_at_once():
    lucia = make.agent("Lucía", capacity=10)
    offers = [make.offer(to=lucia) for _ in range(7)]

    response = accept_all(lucia, *offers)

    assert response.status_code == 204
    assert lucia.participations.filter(left_at=None, conversation__state=State.ACTIVE).count() == 7


def test_of_all_requests_those_that_are_gone_are_named():
    lucia = make.agent("Lucía", capacity=10)
    offers = [make.offer(to=lucia), make.offer(to=lucia, state=OfferState.WITHDRAWN), make.offer(to=make.agent())]

    response = accept_all(lucia, *offers)

    assert response.status_code == 200
    assert "1 accepted; 2 were gone already" in Page(response).elements[0].text
    assert (response["HX-Reswap"], response["Livedesk-Notice"]) == ("none", "1")
    assert lucia.participations.count() == 1


def test_requests_that_are_all_gone_are_refused():
    lucia = make.agent("Lucía", capacity=10)
    offers = [make.offer(to=lucia, state=OfferState.WITHDRAWN), make.offer(to=make.agent())]
    before = everything()

    response = accept_all(lucia, *offers)

    assert response.status_code == 409
    assert "0 accepted; 2 were gone already" in Page(response).elements[0].text
    assert everything() == before


def test_more_than_five_requests_can_be_accepted_at_once():
    lucia = make.agent("Lucía", capacity=10)
    offers = [make.offer(to=lucia) for _ in range(6)]

    page = Page(desk_of(lucia).get("/desk/"))

    assert "1–5 of 6" in page.one("section", id="requests").text
    assert "Accept 6 requests" in page.buttons()
    assert [field["value"] for field in page.all("input", name="offer")] == [str(offer.pk) for offer in offers]
    assert len(page.all("article", class_="offer")) == 5


# Sounds


def keep_sounds(agent, headers=HTMX, **fields):
    chosen = {"request_sound": "pulse", "sound_volume": "35", **fields}
    return desk_of(agent).post(reverse("agents:sounds"), chosen, headers=headers)


@pytest.mark.parametrize(("headers", "status"), [(HTMX, 204), ({}, 302)])
def test_sounds_are_kept_for_the_agent(lucia, headers, status):
    response = keep_sounds(lucia, headers)

    lucia.refresh_from_db()
    assert response.status_code == status
    assert (lucia.request_sound, lucia.sound_volume, lucia.has_message_sound) == ("pulse", 35, False)


@pytest.mark.parametrize(
    "fields",
    [{"request_sound": "horn"}, {"sound_volume": "101"}, {"sound_volume": "-1"}, {"sound_volume": ""}],
)
@pytest.mark.parametrize("headers", [HTMX, {}])
def test_sounds_that_are_none_are_refused_where_they_were_chosen(lucia, fields, headers):
    response = keep_sounds(lucia, headers, **fields)

    page = Page(response)
    assert response.status_code == 422
    assert page.all("p", class_="error")
    assert page.one("input", name="sound_volume")["value"] == "70"
    lucia.refresh_from_db()
    assert (lucia.request_sound, lucia.sound_volume, lucia.has_message_sound) == ("bell", 70, True)


def test_keeping_sounds_leaves_the_state_alone(lucia):
    desk = desk_of(lucia)
    type(lucia).objects.filter(pk=lucia.pk).update(state=AgentState.RONA)

    desk.post(reverse("agents:sounds"), {"request_sound": "chime", "sound_volume": "0"}, headers=HTMX)

    lucia.refresh_from_db()
    assert (lucia.state, lucia.request_sound, lucia.sound_volume) == (AgentState.RONA, "chime", 0)


def test_sounds_are_the_agents_own(client):
    assert client.post(reverse("agents:sounds"), {"request_sound": "bell"}).status_code == 302
