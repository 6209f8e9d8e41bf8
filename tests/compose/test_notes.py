"""Internal notes: for colleagues alone, whichever way somebody asks."""

import pytest
from django.urls import reverse

from conversations.models import Message
from conversations.states import MessageKind
from tests import make
from tests.pages.browsing import JSON, KEY, desk_of, visitor_of

pytestmark = pytest.mark.django_db

SECRET = "Carrier cut-off is <11:00>"


@pytest.fixture
def talk():
    return make.active_conversation()


def post_note(talk, text=SECRET, **extra):
    lead = talk.participants.first().agent
    form = {"key": KEY, "text": text, "note": "1"}
    return desk_of(lead).post(reverse("desk:post", args=[talk.pk]), form, headers=JSON, **extra)


def test_a_note_is_stored_as_a_note_and_may_have_angles(talk):
    answer = post_note(talk)

    assert answer.status_code == 200
    made = Message.objects.get(key=KEY)
    assert (made.kind, made.text) == (MessageKind.NOTE, SECRET)


def test_the_visitor_gets_a_note_by_no_path(talk):
    post_note(talk)
    visitor = visitor_of(talk)

    pages = [
        visitor.get(reverse("chat:conversation")),
        visitor.get(reverse("chat:thread")),
        visitor.get(reverse("chat:earlier"), {"before": 99}),
        visitor.get(reverse("chat:poll"), {"last": 0}),
        visitor.get(reverse("chat:poll"), {"last": talk.last_number}),
    ]

    for page in pages:
        assert page.status_code == 200
        assert "Carrier" not in page.content.decode()


def test_colleagues_read_it_with_who_wrote_it(talk):
    post_note(talk)

    page = desk_of(talk.participants.first().agent).get(reverse("desk:conversation", args=[talk.pk])).content.decode()

    assert "Carrier cut-off is &lt;11:00&gt;" in page
    assert "only colleagues see this" in page


def test_a_note_does_not_become_the_line_of_the_task(talk):
    before = talk.last_line

    post_note(talk)

    talk.refresh_from_db()
    assert talk.last_line == before


def test_the_same_key_is_not_both_a_note_and_a_reply(talk):
    post_note(talk, "Same text")
    lead = talk.participants.first().agent

    answer = desk_of(lead).post(reverse("desk:post", args=[talk.pk]), {"key": KEY, "text": "Same text"}, headers=JSON)

    assert answer.json()["frames"][0]["is"] == "refused"
    assert Message.objects.get(key=KEY).kind == MessageKind.NOTE


def test_a_visitor_cannot_write_notes(talk):
    visitor_of(talk).post(reverse("chat:post"), {"key": KEY, "text": "Hello", "note": "1"}, headers=JSON)

    assert Message.objects.get(key=KEY).kind == MessageKind.TEXT


def test_the_pages_start_with_how_far_the_other_side_has_the_thread(talk):
    place = talk.participants.first()
    place.delivered_number, place.read_number = 1, 1
    place.save()
    talk.visitor_delivered_number = 1
    talk.save()

    chat = visitor_of(talk).get(reverse("chat:conversation")).content.decode()
    desk = desk_of(place.agent).get(reverse("desk:conversation", args=[talk.pk])).content.decode()

    assert 'data-delivered="1" data-read="1"' in chat
    assert 'data-delivered="1" data-read="0"' in desk
