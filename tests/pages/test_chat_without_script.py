"""The chat page for browsers without JavaScript: forms that stand alone, and a thread that reloads itself."""

import pytest
from django.urls import reverse

from conversations.states import State
from tests import make
from tests.pages.browsing import Page, visitor_of

pytestmark = pytest.mark.django_db

CONVERSATION, POST, END, THREAD = (reverse(f"chat:{name}") for name in ("conversation", "post", "end", "thread"))


def test_the_form_of_the_page_sends_a_message_by_itself():
    conversation = make.waiting_conversation()
    visitor = visitor_of(conversation, enforce_csrf_checks=True)
    fields = Page(visitor.get(CONVERSATION)).fields(POST)

    response = visitor.post(POST, {**fields, "text": "Hello?"})

    assert response["Location"] == CONVERSATION
    assert "Hello?" in Page(visitor.get(CONVERSATION)).text


def test_a_form_sent_twice_is_one_message_and_the_next_page_has_a_new_key():
    conversation = make.waiting_conversation()
    visitor = visitor_of(conversation, enforce_csrf_checks=True)
    fields = Page(visitor.get(CONVERSATION)).fields(POST)

    for _ in range(2):
        visitor.post(POST, {**fields, "text": "Hello?"})

    assert conversation.messages.count() == 2
    assert Page(visitor.get(CONVERSATION)).fields(POST)["key"] != fields["key"]


def test_the_page_frames_the_thread_and_offers_a_reload():
    conversation = make.waiting_conversation()

    page = Page(visitor_of(conversation).get(CONVERSATION))

    hidden = [element for noscript in page.all("noscript") for element in noscript.inside]
    assert [element["src"] for element in hidden if element.tag == "iframe"] == [THREAD]
    assert CONVERSATION in [element.get("href") for element in hidden]


def test_the_thread_reloads_itself_and_needs_no_script():
    conversation = make.waiting_conversation(first_message="Where is my order?")

    response = visitor_of(conversation).get(THREAD)

    page = Page(response)
    assert page.one("meta", http_equiv="refresh")["content"] == "5"
    assert not page.all("script")
    assert "Where is my order?" in page.text


def test_only_our_own_pages_may_frame_the_thread():
    conversation = make.waiting_conversation()

    response = visitor_of(conversation).get(THREAD)

    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self';" in response["Content-Security-Policy"]


def test_the_thread_of_an_ended_chat_leads_out_of_its_frame():
    conversation = make.wrap_up_conversation()

    page = Page(visitor_of(conversation).get(THREAD))

    assert page.one("a", href=CONVERSATION)["target"] == "_top"


def test_a_refused_message_is_shown_again_to_copy_with_the_way_back():
    conversation = make.wrap_up_conversation()

    response = visitor_of(conversation).post(POST, {"text": "One <more> word", "key": "0123456789"})

    page = Page(response)
    assert response.status_code == 409
    assert page.one("textarea", id="kept").text == "One <more> word"
    assert page.all("a", href=CONVERSATION)


def test_the_visitor_ends_the_chat_and_starts_a_new_one_by_forms_alone():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    make.member(conversation.queue, lucia)
    visitor = visitor_of(conversation, enforce_csrf_checks=True)

    asked = Page(visitor.get(END))
    ended = visitor.post(END, asked.fields(END), follow=True)
    form = next(form for form in Page(ended).all("form") if "start" not in form.get("id", ""))
    started = visitor.get(form["action"])

    conversation.refresh_from_db()
    assert conversation.state == State.WRAP_UP
    assert "Start chat" in Page(started).buttons()
