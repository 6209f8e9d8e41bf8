"""My conversations, My day, transcripts and the customer's panel in the browser's eyes: who may see what, and how."""

import datetime as dt

import pytest
from django.urls import reverse

from conversations.models import Conversation, Message, Participant
from conversations.states import Party
from tests import make
from tests.pages.browsing import HTMX, Page, desk_of, newcomer
from tests.pages.test_query_counts import cost, expect_same

pytestmark = pytest.mark.django_db

PAGES = ["desk:conversations", "desk:my-day"]


@pytest.fixture
def lucia():
    return make.agent("Lucía")


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_want_somebody_signed_in(client, name):
    response = client.get(reverse(name))

    assert response.status_code == 302
    assert response["Location"].startswith(reverse("agents:sign-in"))


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_only_show(lucia, name):
    assert desk_of(lucia).post(reverse(name)).status_code == 405


@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_in_the_live_desk_and_says_in_the_top_bar_where_it_is(lucia, name):
    page = Page(desk_of(lucia).get(reverse(name)))

    assert page.one(id="desk")["data-socket"] == "/ws/desk/"
    assert page.one(id="state")
    assert page.one(id="requests")
    assert page.one("main", id="conversation")["data-conversation"] == ""
    assert [link["data-nav"] for link in page.all("a", data_nav=True, aria_current="page")] == [
        name.removeprefix("desk:")
    ]


@pytest.mark.parametrize("name", PAGES)
def test_htmx_gets_the_middle_of_the_desk_alone(lucia, name):
    page = Page(desk_of(lucia).get(reverse(name), headers=HTMX))

    assert page.one("main", id="conversation")
    assert not page.all(id="desk")


def test_my_conversations_lead_to_the_transcript_or_to_the_desk(lucia):
    done, running = make.closed_conversation(lead=lucia), make.active_conversation(lead=lucia)

    page = Page(desk_of(lucia).get(reverse("desk:conversations")))

    assert page.one("a", id=f"result-{done.pk}")["href"] == reverse("desk:transcript", args=[done.pk])
    assert page.one("a", id=f"result-{running.pk}")["href"] == reverse("desk:conversation", args=[running.pk])


def test_nobody_finds_or_reads_what_others_talked_about(lucia):
    foreign = make.closed_conversation(lead=make.agent("Jonas"), first_message="a secret")

    found = desk_of(lucia).get(reverse("desk:conversations"), {"text": "secret"})
    read = desk_of(lucia).get(reverse("desk:transcript", args=[foreign.pk]))
    back = desk_of(lucia).get(reverse("desk:earlier", args=[foreign.pk]), {"before": 9})
    past = desk_of(lucia).get(reverse("desk:earlier-conversations", args=[foreign.pk]))

    assert "a secret" not in found.content.decode()
    assert [answer.status_code for answer in (read, back, past)] == [404, 404, 404]


def test_what_matches_is_marked_and_no_text_becomes_markup(lucia):
    made = make.closed_conversation(lead=lucia, visitor_name="<u>Ana</u>", first_message="<img src=x> parcel <b>")
    assert made

    html = desk_of(lucia).get(reverse("desk:conversations"), {"text": "parcel", "customer": "<u>"}).content.decode()

    assert "&lt;img src=x&gt; <mark>parcel</mark> &lt;b&gt;" in html
    assert "<mark>&lt;u&gt;</mark>Ana" in html


@pytest.mark.parametrize("query", ["since=x", "since=2026-03-11&until=2026-03-10", "queue=999999", "text=" + "x" * 300])
def test_a_search_that_cannot_be_says_why(lucia, query):
    page = Page(desk_of(lucia).get(f"{reverse('desk:conversations')}?{query}"))

    assert page.one("section", id="found")
    assert page.all(role="alert", **{"class": "notice error"})


@pytest.mark.parametrize(
    "query", ["before=0", "before=-1", "before=9999999999999999999999", "before=x", "text=%00", "a=%ff"]
)
def test_odd_addresses_break_nothing(lucia, query):
    assert desk_of(lucia).get(f"{reverse('desk:conversations')}?{query}").status_code == 200


def test_searches_and_empty_lists_say_what_they_are(lucia):
    desk = desk_of(lucia)

    assert "No conversations yet" in desk.get(reverse("desk:conversations")).content.decode()
    assert "Nothing found" in desk.get(reverse("desk:conversations"), {"text": "zzz"}).content.decode()


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("zone", ["Europe/Madrid", "Pacific/Kiritimati", "nowhere", "../../etc/passwd", "Europe", ""])
def test_the_pages_are_whole_in_every_language_and_zone(language, zone):
    agent = make.agent(language=language)
    make.closed_conversation(lead=agent)
    desk = desk_of(agent)
    desk.cookies["livedesk_zone"] = zone

    for name in PAGES:
        page = Page(desk.get(reverse(name), {"since": "2026-01-31"} if "conv" in name else {}))
        assert page.one("h1", id="history-title")
        assert all(float(one["value"]) <= float(one["max"]) for one in page.all("progress"))
        if name == PAGES[0]:
            assert page.one("input", id="search-since")["value"] == "2026-01-31"


def test_my_day_lists_what_the_agent_closed_today(lucia):
    mine = make.closed_conversation(lead=lucia)
    foreign = make.closed_conversation(lead=make.agent("Jonas"))
    old = make.closed_conversation(lead=lucia)
    long_ago = make.ago(3 * 86400)
    Conversation.objects.filter(pk=old.pk).update(closed_at=long_ago)

    page = Page(desk_of(lucia).get(reverse("desk:my-day")))

    assert page.one("a", id=f"result-{mine.pk}")["href"] == reverse("desk:transcript", args=[mine.pk])
    assert not page.all("a", id=f"result-{foreign.pk}")
    assert not page.all("a", id=f"result-{old.pk}")
    assert page.one("summary").text == "How are these counted?"


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_cost_the_same_among_2_and_40_conversations(name):
    few, many = make.agent(), make.agent()
    for agent, count in ((few, 2), (many, 40)):
        for _ in range(count):
            make.closed_conversation(lead=agent)

    desks = [desk_of(few), desk_of(many)]
    expect_same(*(cost(lambda desk=desk: desk.get(reverse(name), {"text": "where"})) for desk in desks))


def panel(agent, conversation):
    return Page(desk_of(agent).get(reverse("desk:conversation", args=[conversation.pk])))


def test_the_panel_tells_device_page_and_time_waited(lucia):
    opened = make.active_conversation(
        lead=lucia,
        page_address="https://shop.example.com/orders/48213",
        user_agent="Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0",
    )
    Conversation.objects.update(queued_at=opened.answered_at - dt.timedelta(seconds=38))

    html = desk_of(lucia).get(reverse("desk:conversation", args=[opened.pk])).content.decode()
    link = panel(lucia, opened).one("a", href="https://shop.example.com/orders/48213")

    assert "Firefox on Android" in html
    assert '<dd class="num">0:38</dd>' in html
    assert link["rel"] == "noopener nofollow"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x"])
def test_a_page_that_is_no_web_address_is_no_link(lucia, address):
    opened = make.active_conversation(lead=lucia, page_address=address)

    assert not panel(lucia, opened).all("a", href=address)


def test_our_own_pages_are_not_kept_as_where_the_visitor_came_from():
    queue = make.queue(members=[make.agent()])
    address = reverse("chat:start", args=[queue.slug])
    visitor = newcomer()

    own = Page(visitor.get(address, headers={"Referer": "http://testserver/chat/"})).fields()["page"]
    other = Page(visitor.get(address, headers={"Referer": "https://shop.example.com/"})).fields()["page"]
    visitor.post(address, {"name": "Ana", "question": "Hi", "page": "http://testserver/chat/", "key": "key-12345678"})

    assert (own, other) == ("", "https://shop.example.com/")
    assert Conversation.objects.get(visitor_name="Ana").page_address == ""


def test_the_panel_pages_through_all_earlier_conversations(lucia):
    visitor = make.visitor()
    jonas = make.agent("Jonas Brandt")
    past = [make.closed_conversation(lead=jonas, visitor=visitor, first_message=f"Talk {n}") for n in range(12)]
    opened = make.active_conversation(lead=lucia, visitor=visitor)

    page = panel(lucia, opened)
    rows, more = [], page
    while True:
        rows += [
            int(link["id"].removeprefix("past-")) for link in more.all("a") if link.get("id", "").startswith("past-")
        ]
        links = [link for link in more.all("a", hx_target="closest li") if "customer/earlier" in link["href"]]
        if not links:
            break
        more = Page(desk_of(lucia).get(links[0]["href"], headers=HTMX))

    assert rows == [one.pk for one in reversed(past)]
    assert "· <bdi>Jonas</bdi>" in desk_of(lucia).get(reverse("desk:conversation", args=[opened.pk])).content.decode()


def test_the_panel_masks_restricted_words_of_earlier_conversations(lucia):
    visitor = make.visitor()
    past = make.closed_conversation(visitor=visitor, first_message="")
    make.message(past, "You scoundrel", number=1, details={"for_agents": "You *********"})
    opened = make.active_conversation(lead=lucia, visitor=visitor)

    html = desk_of(lucia).get(reverse("desk:conversation", args=[opened.pk])).content.decode()

    assert "scoundrel" not in html
    assert "You *********" in html


def test_a_transcript_tells_reason_agents_date_and_note(lucia):
    made = make.closed_conversation(lead=lucia, guests=[make.agent("Jonas Brandt")], wrap_up_note="Refund on its way")

    for headers in ({}, HTMX):
        html = desk_of(lucia).get(reverse("desk:transcript", args=[made.pk]), headers=headers).content.decode()

        assert made.closing_reason.label in html
        assert "<bdi>Jonas Brandt</bdi>" in html
        assert "Refund on its way" in html
        assert made.closed_at.strftime("%Y-%m-%dT%H:%M:%S") in html


def test_a_long_transcript_begins_with_its_last_hundred_lines_and_clashes_with_no_open_thread(lucia):
    made = make.closed_conversation(lead=lucia)
    Message.objects.bulk_create(
        Message(
            conversation=made,
            number=number,
            sender=Party.VISITOR,
            key=f"key-{number:06}",
            text=f"line {number}",
            created_at=make.database_now() - dt.timedelta(minutes=1),
        )
        for number in range(2, 251)
    )

    page = Page(desk_of(lucia).get(reverse("desk:transcript", args=[made.pk]), headers=HTMX))

    assert page.numbers() == list(range(151, 251))
    (link,) = page.all("a", hx_target="closest li")
    assert link["href"].endswith("before=151")
    assert not page.all(id="earlier")


def test_who_left_still_reads_what_he_took_part_in(lucia):
    made = make.active_conversation(lead=lucia)
    Participant.objects.filter(conversation=made).update(left_at=make.database_now())

    assert desk_of(lucia).get(reverse("desk:transcript", args=[made.pk])).status_code == 200
