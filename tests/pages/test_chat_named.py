"""A page of the visitor is about the conversation that it shows, also when a newer one has begun in another tab."""

import pytest

from conversations.models import Conversation
from conversations.states import State
from tests import make
from tests.pages.browsing import JSON, KEY, OTHER_KEY, Page, everything, visitor_of

pytestmark = pytest.mark.django_db

CONVERSATION = "/chat/current/"
POST, POLL, END, EARLIER = (f"{CONVERSATION}{name}/" for name in ("messages", "poll", "end", "earlier"))


@pytest.fixture
def ended():
    """The visitor's conversation that an old page shows, with one message under KEY."""
    conversation = make.closed_conversation(first_message="Where is my order?")
    conversation.messages.filter(number=1).update(key=KEY)
    return conversation


@pytest.fixture
def current(ended):
    """The one that he has now."""
    return make.waiting_conversation(visitor=ended.visitor, first_message="Something else")


def frames_at(client, address, values):
    return client.get(address, values).json()["frames"]


@pytest.mark.parametrize(("address", "most"), [(CONVERSATION, 3), (END, 1)])
def test_every_form_of_a_page_names_its_conversation(address, most, ended, current):
    page = Page(visitor_of(current).get(address))

    forms = [form for form in page.all("form") if form["action"] in (POST, END)]

    named = [[field["value"] for field in form.inside if field.get("name") == "conversation"] for form in forms]
    assert named == [[str(current.pk)]] * most


def test_a_poll_that_names_the_current_conversation_is_answered(current):
    frames = frames_at(visitor_of(current), POLL, {"conversation": current.pk, "last": 0})

    assert [frame["conversation"] for frame in frames if frame["is"] == "messages"] == [current.pk]


@pytest.mark.parametrize("named", ["ended", "somebody's", "0", "", "x", "9" * 30, "\x00"])
def test_a_poll_that_names_another_conversation_is_told_to_load_the_page_anew(named, ended, current):
    client = visitor_of(current)
    Conversation.objects.filter(pk=current.pk).update(visitor_seen_at=make.ago(60))
    named = {"ended": ended.pk, "somebody's": make.waiting_conversation().pk}.get(named, named)

    frames = frames_at(client, POLL, {"conversation": named, "last": 0, "seen": 1})

    assert frames == [{"is": "reload"}]
    before = Conversation.objects.get(pk=current.pk)
    assert before.visitor_seen_at < make.ago(50)  # that page does not show it
    assert (before.visitor_delivered_number, before.visitor_read_number) == (0, 0)


def test_a_message_of_the_current_conversation_is_stored_there(ended, current):
    values = {"text": "Hello", "key": OTHER_KEY, "conversation": current.pk}

    answer = visitor_of(current).post(POST, values, headers=JSON).json()["frames"][0]

    assert (answer["is"], answer["conversation"]) == ("posted", current.pk)


@pytest.mark.parametrize("named", ["ended", "somebody's", "0", "", "x", "9" * 30, "\x00"])
def test_a_message_of_another_conversation_is_refused_and_stored_nowhere(named, ended, current):
    client = visitor_of(current)
    named = {"ended": ended.pk, "somebody's": make.waiting_conversation().pk}.get(named, named)
    before = everything()

    response = client.post(POST, {"text": "Hello", "key": OTHER_KEY, "conversation": named}, headers=JSON)

    frame = response.json()["frames"][0]
    assert (response.status_code, frame["is"], frame["key"]) == (409, "refused", OTHER_KEY)
    assert frame["sentence"] == "This conversation has ended; nobody can write in it any more."
    assert everything() == before


def test_a_message_that_its_conversation_took_before_it_ended_is_acknowledged(ended, current):
    client = visitor_of(current)
    before = everything()

    values = {"text": "Where is my order?", "key": KEY, "conversation": ended.pk}
    frames = client.post(POST, values, headers=JSON).json()["frames"]

    assert frames == [{"is": "posted", "key": KEY, "number": 1, "conversation": ended.pk}]
    assert everything() == before


def test_a_plain_form_of_an_old_page_is_refused_with_its_text_to_copy(ended, current):
    client = visitor_of(current)

    response = client.post(POST, {"text": "One more word", "key": OTHER_KEY, "conversation": ended.pk})

    assert response.status_code == 409
    assert Page(response).one("textarea", id="kept").text == "One more word"
    assert not current.messages.filter(text="One more word").exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_old_page_does_not_end_the_conversation_that_it_does_not_show(method, ended, current):
    response = getattr(visitor_of(current), method)(END, {"conversation": ended.pk})

    current.refresh_from_db()
    assert response["Location"] == CONVERSATION
    assert current.state == State.WAITING


def test_the_way_to_earlier_lines_names_the_conversation(ended, current):
    client = visitor_of(current)
    for number in range(100):
        make.message(current, f"line {number}")

    (link,) = Page(client.get(CONVERSATION)).all("a", hx_get=True)

    assert f"conversation={current.pk}&" in link["href"]
    assert "Something else" in client.get(EARLIER, {"conversation": current.pk, "before": 2}).content.decode()
    assert client.get(EARLIER, {"conversation": ended.pk, "before": 2}).status_code == 404
