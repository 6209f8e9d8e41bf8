"""Conversations in admin: read as transcripts, repaired through the actions, never edited."""

import datetime as dt

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config.clock import database_now
from conversations import admin as conversations_admin
from conversations.models import Conversation
from conversations.states import EventKind, OfferState, State
from tests import make

pytestmark = pytest.mark.django_db

LIST = "admin:conversations_conversation_changelist"


@pytest.fixture(autouse=True)
def vera(client):
    vera = make.supervisor("Vera")
    client.force_login(vera)
    return vera


def transcript(client, conversation, **values):
    return client.get(reverse("admin:conversations_conversation_change", args=[conversation.pk]), values)


def act(client, action, *conversations, **values):
    data = {"action": action, "_selected_action": [conversation.pk for conversation in conversations], **values}
    response = client.post(reverse(LIST), data)
    return response, [str(message) for message in get_messages(response.wsgi_request)]


def found(client, **values):
    return list(client.get(reverse(LIST), values).context["cl"].result_list)


@pytest.mark.parametrize("conversations", [2, 20])
def test_the_list_asks_as_often_for_many_conversations_as_for_few(client, django_assert_num_queries, conversations):
    for _ in range(conversations):
        make.closed_conversation(lead=make.agent("Lucía"))

    with django_assert_num_queries(10):
        client.get(reverse(LIST))


def test_the_list_shows_the_lead_the_wait_and_the_reason(client):
    orders = make.queue("Orders")
    reason = make.closing_reason(orders, "Refunded")
    make.closed_conversation(lead=make.agent("Lucía Marín"), reason=reason, is_automatic=True, waited_seconds=65)
    make.abandoned_conversation(visitor_name="Mei")

    page = client.get(reverse(LIST)).content.decode()

    assert "Lucía Marín" in page
    assert "Refunded (automatic)" in page
    assert ">1:05<" in page
    assert "Abandoned" in page


def test_the_list_is_filtered_by_reasons_of_agents_and_of_the_system(client):
    closed, abandoned = make.closed_conversation(), make.abandoned_conversation()

    assert found(client, reason=closed.closing_reason_id) == [closed]
    assert found(client, reason="abandoned") == [abandoned]
    assert found(client, reason="9" * 30) == []
    assert found(client, is_closed_automatically__exact=1) == [abandoned]
    assert found(client, state__exact="waiting") == []


def test_the_list_is_filtered_by_who_leads_or_led(client):
    lucia, jonas, sofia = make.agent("Lucía Marín"), make.agent("Jonas"), make.agent("Sofía", is_active=False)
    now_jonas, of_lucia = make.active_conversation(lead=lucia), make.closed_conversation(lead=lucia)
    now_jonas.participants.update(left_at=database_now())
    make.participant(now_jonas, jonas)
    of_sofia = make.active_conversation(lead=sofia, guests=[jonas])
    make.waiting_conversation()

    assert found(client, lead=lucia.pk) == [of_lucia, now_jonas]
    assert found(client, lead=jonas.pk) == [now_jonas]
    assert found(client, lead=sofia.pk) == [of_sofia]
    assert found(client, lead="x") == found(client, lead=2**62) == []
    assert names_of_leads(client) == ["Jonas", "Lucía Marín", "Vera"]
    assert names_of_leads(client, lead=sofia.pk) == ["Jonas", "Lucía Marín", "Sofía", "Vera"]


def names_of_leads(client, **values):
    filters = client.get(reverse(LIST), values).context["cl"].filter_specs
    return [name for _pk, name in next(one for one in filters if one.title == "lead").lookup_choices]


def test_the_list_is_filtered_by_the_day_of_queuing(client):
    make.closed_conversation(queued_at=database_now() - dt.timedelta(days=40))
    today = make.waiting_conversation()

    assert found(client, queued_at__gte=database_now() - dt.timedelta(days=7)) == [today]


def test_the_search_takes_a_name_an_address_a_number_or_words(client):
    ana = make.waiting_conversation(visitor_name="Ana Pereira", visitor_email="ana@example.com")
    mei = make.waiting_conversation(visitor_name="Mei Kobayashi", first_message="The zip is broken")
    make.note(mei, "Ask the workshop", by=make.agent("Lucía"))

    assert found(client, q="pereira") == [ana]
    assert found(client, q="ana@example.com") == [ana]
    assert found(client, q=f"#{mei.pk}") == [mei]
    assert found(client, q="“zip is”") == [mei]
    assert found(client, q='"workshop"') == [mei]
    assert found(client, q="zip") == []
    assert found(client, q="#" + "9" * 40) == []
    assert found(client, q="x" * 10_000) == []


def test_the_list_counts_no_further_than_it_shows(client, monkeypatch):
    monkeypatch.setattr("config.admin_parts.MOST_LISTED", 3)
    for _ in range(5):
        make.waiting_conversation()

    assert client.get(reverse(LIST)).context["cl"].result_count == 3


def test_a_transcript_shows_thread_notes_events_offers_and_participants(client):
    lucia = make.agent("Lucía Marín")
    conversation = make.active_conversation(lead=lucia, visitor_name="Ana Pereira", visitor_email="ana@example.com")
    make.message(conversation, "Hello Ana, of course.", by=lucia)
    make.note(conversation, "Carrier cut-off is 11:00.", by=lucia)

    response = transcript(client, conversation)

    page = response.content.decode()
    assert response.status_code == 200
    for text in ("Where is my order?", "Hello Ana, of course.", "Carrier cut-off is 11:00.", "ana@example.com"):
        assert text in page
    assert "Internal note: the visitor never sees it" in page
    assert "Request · Accepted" in page
    assert "Offer accepted" in page
    assert "Lead" in page


def test_the_events_are_told_in_words(client):
    orders, returns = make.queue("Orders"), make.queue("Returns")
    conversation = make.waiting_conversation(queue=returns)
    make.event(conversation, EventKind.TRANSFERRED, details={"from_queue": orders.pk, "to_queue": returns.pk})
    make.event(conversation, EventKind.LEAD_CHANGED, details={"lead": make.agent("Lucía Marín").pk})
    make.event(conversation, EventKind.ENDED, details={"ended_by": "agent", "remark": ""})

    page = transcript(client, conversation).content.decode()

    assert "From: Orders · To: Returns" in page
    assert "Lead: Lucía Marín" in page
    assert ">Ended by: Agent<" in page
    assert "ended_by" not in page


def test_what_visitors_wrote_is_text_everywhere(client):
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    conversation = make.active_conversation(
        visitor_name=evil[:70], first_message=evil, page_address=f"javascript:{evil}", user_agent=evil
    )
    make.event(conversation, "joined", details={evil: evil})

    for page in (client.get(reverse(LIST)), transcript(client, conversation), act(client, "finish", conversation)[0]):
        text = page.content.decode()
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;alert(1)" in text


def test_a_long_transcript_is_shown_from_its_end_a_page_at_a_time(client, monkeypatch):
    monkeypatch.setattr(conversations_admin, "PAGE", 3)
    conversation = make.waiting_conversation(first_message="")
    for number in range(1, 8):
        make.message(conversation, f"line {number}")

    newest, earlier, first = (transcript(client, conversation, **page) for page in ({}, {"before": 5}, {"before": 2}))

    assert [line.number for line in newest.context["lines"]] == [5, 6, 7]
    assert newest.context["earlier_than"] == 5
    assert [line.number for line in earlier.context["lines"]] == [2, 3, 4]
    assert [line.number for line in first.context["lines"]] == [1]
    assert first.context["earlier_than"] is None


@pytest.mark.parametrize("before", ["x", "-1", "9" * 50, "²"])
def test_a_senseless_page_is_the_last_one(client, before):
    conversation = make.waiting_conversation()

    response = transcript(client, conversation, before=before)

    assert [line.number for line in response.context["lines"]] == [1]


def test_a_transcript_asks_as_often_for_many_rows_as_for_few(client):
    def cost(rows):
        lucia = make.agent()
        conversation = make.active_conversation(lead=lucia)
        for _ in range(rows):
            make.message(conversation, by=lucia)
            make.offer(conversation=conversation, to=lucia, state=OfferState.MISSED)
            make.event(conversation, "joined", by=lucia)
        with CaptureQueriesContext(connection) as queries:
            transcript(client, conversation)
        return len(queries)

    cost(1)  # Django remembers content types from the first one on

    assert cost(2) == cost(20) <= 16


@pytest.mark.parametrize("verb", ["add", "change", "delete"])
def test_conversations_are_never_edited(client, verb):
    conversation = make.waiting_conversation()
    args = [] if verb == "add" else [conversation.pk]

    response = client.post(
        reverse(f"admin:conversations_conversation_{verb}", args=args), {"visitor_name": "Eve", "post": "yes"}
    )

    assert response.status_code == 403
    assert Conversation.objects.get().visitor_name == "Ana Pereira"


def test_an_unknown_conversation_leads_back(client):
    response = client.get(reverse("admin:conversations_conversation_change", args=["9" * 30]))

    assert response.status_code == 302


def test_sending_back_goes_through_the_action_and_refusals_are_warnings(client):
    active = make.active_conversation(visitor_name="Ana")
    waiting = make.waiting_conversation(visitor_name="Mei")

    _response, sentences = act(client, "send_back", active, waiting)

    active.refresh_from_db()
    assert active.state == State.WAITING
    assert not active.participants.filter(left_at=None).exists()
    assert sentences[0].startswith("Mei · Orders: This is not possible now")
    assert sentences[1] == "1 sent back."


def test_sending_back_works_for_a_queue_that_is_not_in_use_any_more(client):
    conversation = make.active_conversation(queue=make.queue("Old", is_in_use=False))

    _response, sentences = act(client, "send_back", conversation)

    conversation.refresh_from_db()
    assert (conversation.state, sentences) == (State.WAITING, ["1 sent back."])


def test_finishing_asks_for_a_reason_of_the_queue(client):
    conversation = make.active_conversation()
    reason = make.closing_reason(conversation.queue, "Solved elsewhere")
    foreign = make.closing_reason(make.queue("Returns"), "Foreign")

    question, _ = act(client, "finish", conversation)
    wrong, _ = act(client, "finish", conversation, confirmed="yes", reason=foreign.pk)
    conversation.refresh_from_db()
    assert conversation.state == State.ACTIVE

    act(client, "finish", conversation, confirmed="yes", reason=reason.pk, note="Called her.")

    conversation.refresh_from_db()
    assert "Solved elsewhere" in question.content.decode()
    assert "Foreign" not in question.content.decode()
    assert wrong.status_code == 422
    assert (conversation.state, conversation.closing_reason, conversation.wrap_up_note) == (
        State.CLOSED,
        reason,
        "Called her.",
    )


def test_finishing_a_closed_conversation_is_refused(client):
    conversation = make.closed_conversation()

    _response, sentences = act(
        client, "finish", conversation, confirmed="yes", reason=conversation.closing_reason_id, note="Again"
    )

    conversation.refresh_from_db()
    assert "This conversation has ended" in sentences[0]
    assert conversation.wrap_up_note == ""


def test_conversations_of_two_queues_are_not_finished_together(client):
    orders, returns = make.active_conversation(queue=make.queue("A")), make.active_conversation(queue=make.queue("B"))

    _response, sentences = act(client, "finish", orders, returns)

    assert sentences == ["These conversations have different closing reasons; choose those of one queue."]


@pytest.mark.parametrize("action", ["send_back", "finish"])
def test_who_only_reads_repairs_nothing(client, vera, action):
    vera.groups.clear()
    vera.user_permissions.add(
        *make.supervisors().permissions.filter(codename="view_conversation"),
    )
    conversation = make.active_conversation()

    act(client, action, conversation, confirmed="yes", reason=make.closing_reason(conversation.queue).pk)

    conversation.refresh_from_db()
    assert conversation.state == State.ACTIVE
    assert "Finish with a reason" not in transcript(client, conversation).content.decode()
