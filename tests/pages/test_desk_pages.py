"""The desk as it is drawn: the agent's states, his tasks and requests, and each kind of open conversation."""

import pytest
from django.urls import reverse

from agents.states import AgentState
from conversations.states import OfferState
from tests import make
from tests.pages.browsing import HTMX, Page, desk_of, newcomer, visitor_of

pytestmark = pytest.mark.django_db

HOME = "/desk/"


@pytest.fixture
def lucia():
    return make.agent("Lucía Marín")


def page_of(conversation):
    return reverse("desk:conversation", args=[conversation.pk])


@pytest.mark.parametrize(
    ("state", "begins", "colour"),
    [
        (AgentState.AVAILABLE, "Available", "available"),
        (AgentState.IDLE, "Idle", "idle"),
        (AgentState.RONA, "RONA", "rona"),
        (AgentState.OFFLINE, "Offline", "offline"),
    ],
)
def test_the_state_button_begins_with_the_state(state, begins, colour):
    page = Page(desk_of(make.agent(state=state)).get(HOME))

    button = page.one("button", id="state-button")
    assert button.text.startswith(begins)
    assert button["data-state"] == colour


def test_an_available_agent_with_a_conversation_shows_as_engaged(lucia):
    make.active_conversation(lead=lucia)

    button = Page(desk_of(lucia).get(HOME)).one("button", id="state-button")

    assert (button.text, button["data-state"]) == ("Available", "engaged")


def test_the_menu_holds_the_states_that_can_be_chosen_and_the_way_out(lucia):
    lunch = make.idle_reason("Lunch <long>")
    make.idle_reason("Smoking", is_in_use=False)
    lucia.state, lucia.idle_reason = AgentState.IDLE, lunch
    lucia.save()

    page = Page(desk_of(lucia).get(HOME))

    items = [item.text for item in page.all(role="menuitem")]
    assert items[0] == "Available"
    assert items[-1] == "Sign out"
    assert "Idle: Lunch <long>" in items
    assert "Idle: Smoking" not in items
    assert page.one("button", id="state-button").text.startswith("Idle · Lunch <long>")


def test_rona_says_why_and_how_to_come_back():
    jonas = make.agent("Jonas", state=AgentState.RONA)
    orders = make.queue("Orders")
    make.offer(
        to=jonas, state=OfferState.MISSED, conversation=make.waiting_conversation(queue=orders, visitor_name="Ana <i>")
    )

    page = Page(desk_of(jonas).get(HOME))

    assert "You did not answer the request of Ana <i> in Orders in time." in page.one(id="rona-notice").text
    assert "Become available" in page.buttons()


def test_rona_without_a_missed_request_in_the_database_still_says_how_to_come_back():
    page = Page(desk_of(make.agent(state=AgentState.RONA)).get(HOME))

    assert "You did not answer a request in time." in page.one(id="rona-notice").text


def test_a_desk_without_conversations_says_what_to_do(lucia):
    page = Page(desk_of(lucia).get(HOME))

    assert "No conversation is open" in page.one("main").text
    assert "no conversations" in page.one(id="tasks").text
    assert page.one(id="capacity-text").text == "0 of 5 conversations"


def test_the_tasks_are_listed_by_what_they_ask_for(lucia):
    lucia.capacity = 7
    lucia.save()
    active = make.active_conversation(lead=lucia, visitor_name="Ana", first_message="Where <is> it?")
    wrapping = make.wrap_up_conversation(lead=lucia, visitor_name="Ben")
    offer = make.offer(to=lucia, conversation=make.waiting_conversation(visitor_name="Cleo"))

    page = Page(desk_of(lucia).get(page_of(active)))

    tasks = page.one("section", id="tasks")
    assert [e["id"] for e in tasks.inside if e.get("id", "").startswith("tasks-")] == [
        "tasks-requests", "tasks-active", "tasks-wrap-up",
    ]  # fmt: skip
    row = page.one(id=f"task-{active.pk}")
    assert row["aria-current"] == "true"
    assert "Where <is> it?" in row.text
    assert "1 unread message" in row.text
    assert "aria-current" not in page.one(id=f"task-{wrapping.pk}")
    assert page.one(id=f"task-accept-{offer.pk}").text == "Accept"
    assert page.one(id="capacity-text").text == "3 of 7 conversations"


def test_a_task_says_when_its_visitor_is_gone(lucia):
    conversation = make.active_conversation(lead=lucia, is_visitor_here=False)

    page = Page(desk_of(lucia).get(page_of(conversation)))

    assert "Visitor gone" in page.one(id=f"task-{conversation.pk}").text
    assert "Visitor gone" in page.one("header", class_="panel").text


def test_a_request_shows_who_asks_what_and_until_when(lucia):
    orders = make.queue("Orders")
    conversation = make.waiting_conversation(queue=orders, visitor_name="Ana <b>", first_message="Where is <it>?")
    for number in range(2, 9):
        make.message(conversation, f"line {number}")
    offer = make.offer(to=lucia, conversation=conversation)

    page = Page(desk_of(lucia).get(HOME))

    request = page.one("article", id=f"offer-{offer.pk}")
    assert "Ana <b>" in request.text
    assert "Orders" in request.text
    assert "Lucía Marín" in request.text
    assert "line 8" in request.text
    assert "line 3" not in request.text
    assert page.one(class_="ring")["data-until"]
    assert {"Accept", "Decline"} <= set(page.buttons())


def test_a_request_of_a_queue_without_declining_has_no_decline(lucia):
    strict = make.queue("Strict", may_decline=False)
    make.offer(to=lucia, conversation=make.waiting_conversation(queue=strict))

    buttons = Page(desk_of(lucia).get(HOME)).buttons()

    assert "Accept" in buttons
    assert "Decline" not in buttons


def test_more_than_five_requests_are_counted(lucia):
    for _ in range(7):
        make.offer(to=lucia, conversation=make.waiting_conversation())

    page = Page(desk_of(lucia).get(HOME))

    assert len(page.all("article")) == 5
    assert "of 7" in page.one("section", id="requests").text


def test_an_active_conversation_can_be_answered_and_ended(lucia):
    conversation = make.active_conversation(
        lead=lucia, visitor_name="Ana Pereira", visitor_email="ana@example.com", first_message="<script>x</script>"
    )

    page = Page(desk_of(lucia).get(page_of(conversation)))

    assert page.one(role="log")["aria-label"] == "Conversation with Ana Pereira"
    assert page.labels()["Reply to Ana Pereira"] == page.one("textarea", name="text")["id"]
    assert {"End", "Send"} <= set(page.buttons())
    assert page.all("div", class_="bubble")[0].text == "<script>x</script>"
    assert "ana@example.com" in page.one("section", id="customer").text


def test_a_guest_can_write_and_not_end(lucia):
    jonas = make.agent("Jonas Brandt")
    conversation = make.active_conversation(lead=lucia, guests=[jonas])

    page = Page(desk_of(jonas).get(page_of(conversation)))

    assert "Send" in page.buttons()
    assert "End" not in page.buttons()
    assert "Lucía Marín, Jonas Brandt" in page.one("header", class_="panel").text


def test_a_conversation_in_wrap_up_asks_for_its_closing_reason(lucia):
    conversation = make.wrap_up_conversation(lead=lucia, deadline_seconds=90)
    make.closing_reason(conversation.queue, "Solved <fully>")
    make.closing_reason(conversation.queue, "Old one", is_in_use=False)
    make.closing_reason(make.queue("Returns"), "Another queue's")

    page = Page(desk_of(lucia).get(page_of(conversation)))

    dialog = page.one("dialog", id=f"closing-{conversation.pk}")
    assert page.one(id=dialog["aria-labelledby"]).text == "Closing reasons"
    assert "Submit" in page.buttons()
    assert [e.text for e in page.all("option")] == ["Choose a reason", "Solved <fully>"]
    assert any(e.get("data-show") == "left" for e in dialog.inside)
    assert not page.all("textarea", name="text")


def test_the_customer_region_lists_earlier_conversations(lucia):
    visitor = make.visitor()
    reason = make.closing_reason(make.queue("Orders"), "Solved <fully>")
    past = make.closed_conversation(reason=reason, visitor=visitor, first_message="An <old> story")
    now = make.active_conversation(lead=lucia, visitor=visitor)

    page = Page(desk_of(lucia).get(page_of(now)))

    link = page.one("a", id=f"past-{past.pk}")
    assert "An <old> story" in link.text
    assert "Solved <fully>" in link.text
    assert link["href"] == reverse("desk:transcript", args=[past.pk])


@pytest.mark.parametrize("made", [make.closed_conversation, make.abandoned_conversation, make.wrap_up_conversation])
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_supervisor_reads_any_conversation_as_a_transcript(made, headers):
    conversation = made(visitor_name="Ana <b>", first_message="Where <is> it?")

    response = desk_of(make.supervisor()).get(reverse("desk:transcript", args=[conversation.pk]), headers=headers)

    page = Page(response)
    assert response.status_code == 200
    assert bool(page.all("html")) == (headers == {})
    assert page.one(id="transcript-title").text == "Ana <b>"
    assert page.all("div", class_="bubble")[0].text == "Where <is> it?"
    assert "Send" not in page.buttons()


def test_the_closing_page_without_htmx_is_a_whole_page(lucia):
    conversation = make.wrap_up_conversation(lead=lucia)

    page = Page(desk_of(lucia).get(reverse("desk:closing", args=[conversation.pk])))

    assert page.one("h1").text == "Closing reasons"
    assert "Submit" in page.buttons()
    assert page.fields()["csrfmiddlewaretoken"]
    assert page.all("a", href=page_of(conversation))


def test_htmx_gets_the_conversation_alone(lucia):
    conversation = make.active_conversation(lead=lucia)

    page = Page(desk_of(lucia).get(page_of(conversation), headers=HTMX))

    assert not page.all("html")
    assert page.elements[0]["id"] == "conversation"


def test_going_back_in_the_browser_gets_the_whole_desk(lucia):
    conversation = make.active_conversation(lead=lucia)

    response = desk_of(lucia).get(page_of(conversation), headers={**HTMX, "HX-History-Restore-Request": "true"})

    assert Page(response).all("html")


def test_only_staff_see_the_way_to_admin(lucia):
    assert not Page(desk_of(lucia).get(HOME)).all("a", href="/admin/")
    assert Page(desk_of(make.supervisor()).get(HOME)).all("a", href="/admin/")


def test_the_desk_speaks_the_agents_language_not_the_browsers():
    sofia = make.agent("Sofía", language="es")

    response = desk_of(sofia, headers={"Accept-Language": "en"}).get(HOME)

    assert Page(response).one("html")["lang"] == "es"
    assert response["Content-Language"] == "es"


def test_of_several_notices_only_the_new_one_is_read_out(lucia):
    desk = Page(desk_of(lucia).get(HOME))
    talk = Page(visitor_of(make.active_conversation(lead=lucia)).get("/chat/current/"))
    start = Page(newcomer().get("/chat/"))

    places = [page.one(id="notices") for page in (desk, talk, start)] + [desk.one(id="announcements")]

    assert [place["aria-atomic"] for place in places] == ["false"] * 4


def test_every_id_of_a_full_desk_is_there_once(lucia):
    conversation = make.active_conversation(lead=lucia)
    make.wrap_up_conversation(lead=lucia)
    make.offer(to=lucia, conversation=make.waiting_conversation())

    page = Page(desk_of(lucia).get(page_of(conversation)))

    ids = [e["id"] for e in page.all(id=True)]
    assert len(ids) == len(set(ids))
