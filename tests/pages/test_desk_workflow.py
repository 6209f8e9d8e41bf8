"""Every act at the desk, by htmx and by plain forms."""

import pytest
from django.urls import reverse

from agents.states import AgentState
from conversations.actions import offers, reading, transfers
from conversations.states import OfferKind, OfferState, Party, State
from tests import make
from tests.pages.browsing import HTMX, JSON, KEY, Page, desk_of

pytestmark = pytest.mark.django_db

HOME = "/desk/"
WAYS = pytest.mark.parametrize("headers", [pytest.param({}, id="form"), pytest.param(HTMX, id="htmx")])


@pytest.fixture
def lucia():
    return make.agent("Lucía")


@pytest.fixture
def desk(lucia):
    return desk_of(lucia)


def address_of(name, row):
    return reverse(f"desk:{name}", args=[row.pk])


def test_accepting_by_htmx_shows_the_conversation_and_its_address(desk, lucia):
    offer = make.offer(to=lucia)

    response = desk.post(address_of("accept-offer", offer), headers=HTMX)

    page = Page(response)
    assert response.status_code == 200
    assert page.elements[0]["data-conversation"] == str(offer.conversation_id)
    assert response["HX-Push-Url"] == address_of("conversation", offer.conversation)
    offer.refresh_from_db()
    offer.conversation.refresh_from_db()
    assert (offer.state, offer.conversation.state) == (OfferState.ACCEPTED, State.ACTIVE)


def test_accepting_by_a_plain_form_leads_to_the_conversation(desk, lucia):
    offer = make.offer(to=lucia)

    response = desk.post(address_of("accept-offer", offer))

    assert response["Location"] == address_of("conversation", offer.conversation)
    assert desk.get(response["Location"]).status_code == 200


@WAYS
def test_declining_passes_the_request_on(desk, lucia, headers):
    offer = make.offer(to=lucia)

    response = desk.post(address_of("decline-offer", offer), headers=headers)

    assert (response.status_code, response.get("Location")) == ((204, None) if headers else (302, HOME))
    offer.refresh_from_db()
    assert offer.state == OfferState.DECLINED


@WAYS
def test_the_agent_becomes_idle_with_a_reason_and_available_again(desk, lucia, headers):
    lunch = make.idle_reason("Lunch")

    first = desk.post("/desk/state/", {"state": "idle", "reason": lunch.pk}, headers=headers)
    lucia.refresh_from_db()
    assert (lucia.state, lucia.idle_reason) == (AgentState.IDLE, lunch)

    second = desk.post("/desk/state/", {"state": "available"}, headers=headers)
    lucia.refresh_from_db()
    assert (lucia.state, lucia.idle_reason) == (AgentState.AVAILABLE, None)
    assert first.status_code == second.status_code == (204 if headers else 302)


@pytest.mark.parametrize("state", [AgentState.RONA, AgentState.OFFLINE, AgentState.IDLE])
def test_become_available_works_from_every_state(state):
    jonas = make.agent("Jonas", state=state)

    desk_of(jonas).post("/desk/state/", {"state": "available"}, headers=HTMX)

    jonas.refresh_from_db()
    assert jonas.state == AgentState.AVAILABLE


@pytest.mark.parametrize(
    ("kind", "language", "words"),
    [
        (
            OfferKind.REQUEST,
            "en",
            "You did not answer the request of Ana <i> in Orders in time. It went back to its queue, and you get",
        ),
        (
            OfferKind.TRANSFER,
            "en",
            "You did not answer the transfer request of Lucía for the conversation with Ana <i> in time. "
            "It stayed with Lucía, and you get",
        ),
        (
            OfferKind.CONFERENCE,
            "en",
            "You did not answer the invitation of Lucía to the conversation with Ana <i> in time. "
            "It went on without you, and you get",
        ),
        (
            OfferKind.TRANSFER,
            "es",
            "No ha respondido a tiempo a la solicitud de Lucía de transferirle la conversación con Ana <i>. "
            "Se ha quedado con Lucía y no recibirá",
        ),
        (
            OfferKind.CONFERENCE,
            "es",
            "No ha respondido a tiempo a la invitación de Lucía a la conversación con Ana <i>. "
            "Ha seguido sin usted y no recibirá",
        ),
    ],
)
def test_who_misses_an_offer_is_told_where_the_conversation_is(lucia, kind, language, words):
    jonas, orders = make.agent("Jonas", language=language), make.queue("Orders")
    talk = {"queue": orders, "visitor_name": "Ana <i>"}
    is_request = kind == OfferKind.REQUEST
    conversation = make.waiting_conversation(**talk) if is_request else make.active_conversation(lead=lucia, **talk)
    sender = {} if is_request else {"made_by": lucia}
    offer = make.offer(to=jonas, conversation=conversation, kind=kind, seconds=-1, **sender)
    assert offers.miss(offer.pk)

    notice = Page(desk_of(jonas).get(HOME)).one(id="rona-notice").text

    assert " ".join(notice.split()).startswith(words)


def test_a_message_by_a_plain_form_leads_back_to_the_conversation(desk, lucia):
    conversation = make.active_conversation(lead=lucia)
    fields = Page(desk.get(address_of("conversation", conversation))).fields(address_of("post", conversation))

    response = desk.post(address_of("post", conversation), {**fields, "text": "Good morning"})

    assert response["Location"] == address_of("conversation", conversation)
    message = conversation.messages.get(text="Good morning")
    assert (message.sender, message.agent, message.key) == (Party.AGENT, lucia, fields["key"])


def test_a_message_by_the_pages_script_is_acknowledged_and_repeats_are_harmless(desk, lucia):
    conversation = make.active_conversation(lead=lucia)

    answers = [
        desk.post(address_of("post", conversation), {"text": "Good morning", "key": KEY}, headers=JSON).json()
        for _ in range(2)
    ]

    posted = {"is": "posted", "key": KEY, "number": 2, "conversation": conversation.pk}
    assert answers == [{"frames": [posted]}] * 2
    assert conversation.messages.count() == 2


def test_a_guest_writes_under_his_own_name(lucia):
    jonas = make.agent("Jonas")
    conversation = make.active_conversation(lead=lucia, guests=[jonas])

    desk_of(jonas).post(address_of("post", conversation), {"text": "May I add", "key": KEY})

    assert conversation.messages.get(key=KEY).agent == jonas


def test_ending_by_htmx_shows_the_closing_reasons(desk, lucia):
    conversation = make.active_conversation(lead=lucia)

    response = desk.post(address_of("end", conversation), headers=HTMX)

    assert Page(response).one("dialog")["id"] == f"closing-{conversation.pk}"
    conversation.refresh_from_db()
    assert (conversation.state, conversation.ended_by) == (State.WRAP_UP, Party.AGENT)


def test_ending_by_a_plain_form_leads_back_to_the_conversation(desk, lucia):
    conversation = make.active_conversation(lead=lucia)

    response = desk.post(address_of("end", conversation))

    assert response["Location"] == address_of("conversation", conversation)


@WAYS
def test_finishing_closes_with_the_reason_and_the_note(desk, lucia, headers):
    conversation = make.wrap_up_conversation(lead=lucia)
    reason = make.closing_reason(conversation.queue)

    response = desk.post(
        address_of("closing", conversation), {"reason": reason.pk, "note": "  Sent again. "}, headers=headers
    )

    conversation.refresh_from_db()
    assert (conversation.state, conversation.closing_reason) == (State.CLOSED, reason)
    assert conversation.wrap_up_note == "Sent again."
    assert not conversation.is_closed_automatically
    if headers:
        assert (response["HX-Retarget"], response["HX-Push-Url"]) == ("#conversation", HOME)
        assert "No conversation is open" in Page(response).elements[0].text
    else:
        assert response["Location"] == HOME


def test_the_closing_form_as_it_stands_can_be_sent(lucia):
    desk = desk_of(lucia, enforce_csrf_checks=True)
    conversation = make.wrap_up_conversation(lead=lucia)
    reason = make.closing_reason(conversation.queue)
    fields = Page(desk.get(address_of("closing", conversation))).fields()

    desk.post(address_of("closing", conversation), {**fields, "reason": reason.pk})

    conversation.refresh_from_db()
    assert conversation.state == State.CLOSED


def test_the_token_of_the_page_lets_htmx_post(lucia):
    desk = desk_of(lucia, enforce_csrf_checks=True)
    offer = make.offer(to=lucia)
    page = Page(desk.get(HOME))
    token = page.one("body")["hx-headers"].split('"')[3]

    response = desk.post(address_of("accept-offer", offer), headers={**HTMX, "X-CSRFToken": token})

    assert response.status_code == 200


def test_polling_sends_the_whole_desk_and_the_missing_lines(desk, lucia):
    conversation = make.active_conversation(lead=lucia)
    make.message(conversation, "And now?")

    frames = desk.get("/desk/poll/", {"open": conversation.pk, "last": 1}).json()["frames"]

    assert [frame["is"] for frame in frames] == ["messages", "marks", "fragments"]
    assert Page(frames[0]["html"]).numbers() == [2]
    ids = {e["id"] for e in Page(frames[2]["html"]).all(hx_swap_oob="true")}
    assert ids == {
        "state", "rona", "tasks", "requests", "customer", f"panel-{conversation.pk}", f"composer-{conversation.pk}",
    }  # fmt: skip


def test_polling_with_a_number_of_the_future_is_told_to_load_the_desk_anew(desk, lucia):
    conversation = make.active_conversation(lead=lucia)
    kinds = [
        {frame["is"] for frame in desk.get("/desk/poll/", {"open": conversation.pk, "last": last}).json()["frames"]}
        for last in (1, 2)
    ]

    assert ["reload" in kind for kind in kinds] == [False, True]


@pytest.mark.parametrize("opened", ["", "0", "x", "-3", "9" * 30])
def test_polling_for_what_is_no_conversation_still_sends_the_desk(desk, opened):
    frames = desk.get("/desk/poll/", {"open": opened, "last": "x"}).json()["frames"]

    assert [frame["is"] for frame in frames] == ["fragments"]


def test_polling_for_a_conversation_that_is_not_the_agents_says_so_behind_the_desk(desk, lucia):
    lost, foreign = make.active_conversation(lead=lucia), make.active_conversation(lead=make.agent("Jonas Brandt"))
    transfers.to_queue(lost.pk, make.queue("Logistics").pk, by=lucia)

    for opened in (lost.pk, foreign.pk, 999_999):
        frames = desk.get("/desk/poll/", {"open": opened, "last": 1}).json()["frames"]
        assert [frame["is"] for frame in frames] == ["fragments", "gone"]
        assert frames[-1]["conversation"] == opened


def test_polling_for_a_colleagues_conversation_sends_nothing_of_it(desk):
    foreign = make.active_conversation(lead=make.agent("Jonas"), visitor_name="Secret Person")

    answer = desk.get("/desk/poll/", {"open": foreign.pk, "last": 0}).content.decode()

    assert "Secret Person" not in answer
    assert "Where is my order?" not in answer


def test_polling_tells_the_portal_that_the_desk_is_open():
    jonas = make.agent("Jonas", is_connected=False)

    desk_of(jonas).get("/desk/poll/")

    jonas.refresh_from_db()
    assert jonas.is_connected(make.database_now())


def test_a_whole_story_by_plain_forms(lucia):
    orders = make.queue("Orders", members=[lucia])
    reason = make.closing_reason(orders)
    conversation = make.waiting_conversation(queue=orders)
    offer = make.offer(to=lucia, conversation=conversation)
    desk = desk_of(lucia)

    desk.post(address_of("accept-offer", offer))
    desk.post(address_of("post", conversation), {"text": "On its way.", "key": KEY})
    desk.post(address_of("end", conversation))
    desk.post(address_of("closing", conversation), {"reason": reason.pk, "note": ""})

    conversation.refresh_from_db()
    assert (conversation.state, conversation.closing_reason) == (State.CLOSED, reason)
    assert list(conversation.messages.order_by("number").values_list("number", flat=True)) == [1, 2, 3, 4]


def test_a_desk_that_polls_learns_how_far_the_visitor_is_and_tells_how_far_it_is_itself(desk, lucia):
    conversation = make.active_conversation(lead=lucia)
    make.message(conversation, "And now?")
    reading.marked_by_visitor(conversation.pk, delivered=2, read=1)

    frames = desk.get("/desk/poll/", {"open": conversation.pk, "last": 2, "seen": 1}).json()["frames"]

    marks = {"is": "marks", "conversation": conversation.pk, "delivered": 2, "read": 1}
    assert marks in frames
    assert reading.marks_for_visitor(conversation) == reading.Marks(delivered=2, read=1)


def test_a_desk_that_polls_marks_nothing_of_a_colleagues_conversation(desk):
    foreign = make.active_conversation(lead=make.agent("Jonas"))

    frames = desk.get("/desk/poll/", {"open": foreign.pk, "last": 1, "seen": 1}).json()["frames"]

    assert "marks" not in [frame["is"] for frame in frames]
    assert reading.marks_for_visitor(foreign) == reading.Marks()
