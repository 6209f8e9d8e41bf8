"""Lines of the thread: links and nothing else as markup, authors, sentences, and who gets which."""

import pytest

from conversations import thread
from conversations.states import EventKind, MessageKind, Party, Remark, SystemReason
from conversations.thread import Audience
from tests import make

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("5 < 6 & 7", "5 &lt; 6 &amp; 7"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        (
            "See https://example.com/a?b=1&c=2.",
            'See <a href="https://example.com/a?b=1&amp;c=2" target="_blank" rel="noopener nofollow">'
            "https://example.com/a?b=1&amp;c=2</a>.",
        ),
        (
            "ana@example.com",
            '<a href="mailto:ana@example.com" target="_blank" rel="noopener nofollow">ana@example.com</a>',
        ),
    ],
)
def test_links_become_links_and_nothing_else_is_markup(text, html):
    assert thread.with_links(text) == html


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "javascript://example.com/%0aalert(1)",
        "ftp://example.com",
        "//example.com",
        "example.com",
    ],
)
def test_only_web_and_mail_addresses_become_links(text):
    assert "<a" not in thread.with_links(text)


def test_a_link_cannot_leave_its_attribute():
    html = thread.with_links('https://example.com/"onmouseover="alert(1)')

    assert '"onmouseover' not in html


def test_notes_never_leave_the_agents_side():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    note = make.note(conversation, "Difficult customer", by=lucia)

    for audience, is_there in ((Audience.AGENTS, True), (Audience.VISITOR, False)):
        assert thread.is_visible(note, audience) == is_there
        assert (note in thread.last_page(conversation, audience)) == is_there
        assert (note in thread.visible_to(audience, conversation.messages.all())) == is_there
        assert ("Difficult customer" in thread.rendered.render([note], audience, "en")) == is_there


def test_a_page_shows_the_newest_lines_oldest_first(monkeypatch):
    monkeypatch.setattr(thread, "PAGE", 3)
    conversation = make.waiting_conversation()
    for number in range(5):
        make.message(conversation, f"{number}")

    newest = thread.last_page(conversation, Audience.VISITOR)
    older = thread.last_page(conversation, Audience.VISITOR, before=newest[0].number)

    assert [message.number for message in newest] == [4, 5, 6]
    assert [message.number for message in older] == [1, 2, 3]


def test_behind_a_number_stands_everything_in_order_a_stretch_at_a_time(monkeypatch):
    monkeypatch.setattr(thread, "CATCH_UP", 3)
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    for number in range(5):
        make.note(conversation, by=lucia) if number % 2 else make.message(conversation)

    assert [message.number for message in thread.after(conversation, 1)] == [2, 3, 4]
    assert [message.number for message in thread.after(conversation, 4)] == [5, 6]
    assert thread.after(conversation, 6) == []
    assert thread.after(conversation, 99) == []


def test_the_author_is_the_first_name():
    lucia = make.agent("Lucía Marín")
    conversation = make.active_conversation(lead=lucia, visitor_name="Ana Pereira")

    assert thread.author(conversation.messages.get()) == "Ana"
    assert thread.author(make.message(conversation, by=lucia)) == "Lucía"


def event(kind, **details):
    """A line that the system wrote."""
    conversation = make.waiting_conversation()
    return make.message(
        conversation, "", kind=MessageKind.EVENT, sender=Party.SYSTEM, event=kind, details=details, key=""
    )


@pytest.mark.parametrize(
    ("kind", "details", "visitor", "agents"),
    [
        (EventKind.JOINED, {"name": "Lucía"}, "Lucía joined the conversation", None),
        (EventKind.LEFT, {"name": "Lucía"}, "Lucía left the conversation", None),
        (EventKind.LEAD_CHANGED, {"name": "Jonas"}, "Jonas has taken over", None),
        (EventKind.TRANSFERRED, {"queue": "Returns"}, "The conversation was transferred to Returns", None),
        (EventKind.RETURNED, {}, "The conversation is back in line; the next free agent takes it", None),
        (
            EventKind.ASKED_IF_THERE,
            {},
            "Are you still there? Write a word to stay in the conversation",
            "The customer was asked whether they are still there",
        ),
        (EventKind.ENDED, {"ended_by": Party.AGENT, "name": "Lucía"}, "Lucía ended the conversation", None),
        (
            EventKind.ENDED,
            {"ended_by": Party.VISITOR},
            "You ended the conversation",
            "The customer left the conversation",
        ),
        (
            EventKind.ENDED,
            {"ended_by": Party.VISITOR, "remark": Remark.VISITOR_GONE},
            "The conversation ended because you were away for too long",
            "The customer left the conversation",
        ),
        (
            EventKind.ENDED,
            {"ended_by": Party.SYSTEM, "remark": Remark.IDLE},
            "The conversation ended because nobody wrote any more",
            None,
        ),
        (
            EventKind.ENDED,
            {"system_reason": SystemReason.NOBODY_AVAILABLE},
            "Nobody is available to answer any more. Please try again later",
            None,
        ),
        (EventKind.ENDED, {"ended_by": Party.SYSTEM}, "The conversation has ended", None),
    ],
)
def test_an_event_is_a_sentence_for_its_reader(kind, details, visitor, agents):
    message = event(kind, **details)

    assert thread.sentence(message, Audience.VISITOR) == visitor
    assert thread.sentence(message, Audience.AGENTS) == (agents or visitor)


def test_a_line_is_drawn_once_for_each_audience_and_language(monkeypatch):
    drawn = []

    def draw(message, audience, language):
        drawn.append((audience, language))
        return audience

    monkeypatch.setattr(thread, "draw_line", draw)
    message, lines = event(EventKind.JOINED, name="Lucía"), thread.RenderedLines()

    for _ in range(3):
        for audience in Audience:
            for language in ("en", "es"):
                lines.render([message], audience, language)

    assert len(drawn) == len(set(drawn)) == 4


def test_a_line_is_drawn_anew_when_its_author_has_another_name():
    lucia = make.agent("Lucía Marín")
    message = make.message(make.active_conversation(lead=lucia), by=lucia)
    assert ">Lucía<" in thread.rendered.render([message], Audience.VISITOR, "en")

    lucia.first_name = "Luz"
    message.agent = lucia

    assert ">Luz<" in thread.rendered.render([message], Audience.VISITOR, "en")


def test_old_drawn_lines_are_forgotten(monkeypatch):
    monkeypatch.setattr(thread, "KEPT", 2)
    lines = thread.RenderedLines()

    for _ in range(4):
        lines.render([event(EventKind.JOINED, name="Lucía")], Audience.VISITOR, "en")

    assert len(lines._kept) == 2


def test_of_long_drawn_lines_fewer_are_kept(monkeypatch):
    monkeypatch.setattr(thread, "draw_line", lambda message, audience, language: "x" * 400)
    monkeypatch.setattr(thread, "KEPT_CHARACTERS", 1000)
    lines = thread.RenderedLines()

    for _ in range(4):
        lines.render([event(EventKind.JOINED, name="Lucía")], Audience.VISITOR, "en")

    assert [len(drawn) for drawn in lines._kept.values()] == [400, 400]
