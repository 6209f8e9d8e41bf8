"""Long threads: the newest lines first, the others page by page, and never a note for a visitor."""

import pytest
from django.urls import reverse

from conversations.models import Message
from conversations.states import Party
from tests import make
from tests.pages.browsing import HTMX, Page, desk_of, visitor_of

pytestmark = pytest.mark.django_db

PAGE = 100


@pytest.fixture
def lucia():
    return make.agent("Lucía")


@pytest.fixture
def long_conversation(lucia):
    """250 lines, of which each tenth is a note."""
    conversation = make.active_conversation(lead=lucia)
    at = make.database_now()
    Message.objects.bulk_create(
        Message(
            conversation=conversation,
            number=number,
            kind="note" if number % 10 == 0 else "text",
            sender=Party.AGENT,
            agent=lucia,
            key=f"key-{number:06}",
            text=f"secret {number}" if number % 10 == 0 else f"line {number}",
            created_at=at,
        )
        for number in range(2, 251)
    )
    conversation.last_number = 250
    conversation.save(update_fields=["last_number"])
    return conversation


def pages_back(client, address, **headers):
    """The numbers of each page, from the newest back to the first."""
    pages = []
    while address:
        page = Page(client.get(address, headers=headers))
        pages.append(page.numbers())
        links = [link for link in page.all("a", hx_target="closest li")]
        assert len(links) <= 1
        assert all(link["href"] == link["hx-get"] for link in links)
        address = links[0]["href"] if links else None
    return pages


def test_a_desk_pages_back_through_all_lines_without_gaps_or_doubles(lucia, long_conversation):
    address = reverse("desk:conversation", args=[long_conversation.pk])

    pages = pages_back(desk_of(lucia), address)

    assert [len(page) for page in pages] == [100, 100, 50]
    assert [number for page in reversed(pages) for number in page] == list(range(1, 251))


def test_a_visitor_pages_back_through_all_lines_but_the_notes(long_conversation):
    pages = pages_back(visitor_of(long_conversation), reverse("chat:conversation"))

    assert [len(page) for page in pages] == [100, 100, 25]
    assert [number for page in reversed(pages) for number in page] == [n for n in range(1, 251) if n % 10]


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_transcript_pages_back_through_all_lines(lucia, long_conversation, headers):
    address = reverse("desk:transcript", args=[long_conversation.pk])

    pages = pages_back(desk_of(lucia), address, **headers)

    assert [number for page in reversed(pages) for number in page] == list(range(1, 251))


@pytest.mark.parametrize(
    "address",
    ["/chat/current/", "/chat/current/thread/", "/chat/current/poll/?last=0", "/chat/current/poll/?last=200",
     "/chat/current/earlier/?before=251", "/chat/current/earlier/?before=101"],
)  # fmt: skip
def test_no_page_of_the_visitor_ever_holds_a_note(long_conversation, address):
    html = visitor_of(long_conversation).get(address).content.decode()

    assert "line " in html
    assert "secret" not in html


def test_the_lines_of_one_look_are_bounded_and_the_next_look_goes_on(long_conversation):
    visitor = visitor_of(long_conversation)

    first = visitor.get("/chat/current/poll/", {"last": 0}).json()["frames"][0]
    second = visitor.get("/chat/current/poll/", {"last": first["last"]}).json()["frames"][0]

    numbers = Page(first["html"]).numbers() + Page(second["html"]).numbers()
    assert numbers == [n for n in range(1, 251) if n % 10]
    assert second["last"] == 250


def test_a_thread_that_begins_with_notes_offers_no_empty_page(lucia):
    conversation = make.active_conversation(lead=lucia, first_message="")
    make.note(conversation, by=lucia)
    make.message(conversation, "Hello")

    page = Page(visitor_of(conversation).get("/chat/current/"))

    assert page.numbers() == [2]
    assert not page.all("a", hx_target="closest li")


def test_a_visitor_without_script_pages_back_in_the_frame_which_then_stands_still(long_conversation):
    visitor, address = visitor_of(long_conversation), "/chat/current/thread/"
    pages = []

    while address:
        page = Page(visitor.get(address))
        pages.append(page)
        earlier = [link for link in page.all("a") if link.text == "Earlier messages"]
        address = earlier[0]["href"] if earlier else None

    assert [n for page in reversed(pages) for n in page.numbers()] == [n for n in range(1, 251) if n % 10]
    assert [len(page.all("meta", http_equiv="refresh")) for page in pages] == [1, 0, 0]
    assert all(page.all("a", href="/chat/current/thread/") for page in pages[1:])


@pytest.mark.parametrize("before", ["", "x", "-5", "0", "9" * 25, "1.5"])
def test_a_number_that_is_none_shows_no_lines_or_the_newest(lucia, long_conversation, before):
    for client, address in (
        (visitor_of(long_conversation), "/chat/current/earlier/"),
        (desk_of(lucia), reverse("desk:earlier", args=[long_conversation.pk])),
    ):
        assert client.get(address, {"before": before}).status_code == 200
