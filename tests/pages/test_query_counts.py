"""A page costs the same however much there is: constant queries, and few of them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.models import Message
from conversations.states import Party
from tests import make
from tests.pages.browsing import HTMX, KEY, desk_of, visitor_of

pytestmark = pytest.mark.django_db

MOST = 16
# Both longer than a page: whether there is more above it is asked only then.
SHORT, LONG = 150, 2000


def cost(ask):
    """
    The statements of an answer. Savepoints are the tests' own; restricted words are asked for once in a few seconds.
    """
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = ask()
    assert response.status_code in (200, 302), response.content[:300]
    statements = [query["sql"] for query in captured]
    return [
        sql
        for sql in statements
        if not sql.startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")) and "restrictedword" not in sql
    ]


def expect_same(small, large):
    listed = "\n".join(large)
    assert len(small) == len(large), listed
    assert len(large) <= MOST, listed


def lengthen(conversation, count):
    """So many lines more, by both sides."""
    lead = conversation.participants.first()
    Message.objects.bulk_create(
        Message(
            conversation=conversation,
            number=conversation.last_number + number,
            sender=Party.AGENT if lead and number % 2 else Party.VISITOR,
            agent=lead.agent if lead and number % 2 else None,
            key=f"long-{number:06}",
            text=f"line {number}",
            created_at=make.database_now(),
        )
        for number in range(1, count + 1)
    )
    conversation.last_number += count
    conversation.save(update_fields=["last_number"])
    return conversation


def desk_with(conversations, *, lines, requests=1):
    """The desk of an agent with so many conversations, one of them open and so long."""
    agent = make.agent(capacity=20)
    visitor = make.visitor()
    for _ in range(conversations // 4 + 1):
        make.closed_conversation(visitor=visitor)
    opened = lengthen(make.active_conversation(lead=agent, visitor=visitor), lines)
    for number in range(conversations - 1):
        (make.wrap_up_conversation if number % 3 == 0 else make.active_conversation)(lead=agent)
    for _ in range(requests):
        make.offer(to=agent, conversation=make.waiting_conversation())
    return desk_of(agent), opened


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("name", ["conversation", "transcript", "earlier"])
def test_a_conversation_costs_the_same_among_1_and_20_and_with_150_and_2000_lines(name, headers):
    (small, few), (large, many) = desk_with(1, lines=SHORT), desk_with(20, lines=LONG, requests=6)

    costs = [
        cost(lambda desk=desk, opened=opened: desk.get(reverse(f"desk:{name}", args=[opened.pk]), headers=headers))
        for desk, opened in ((small, few), (large, many))
    ]

    expect_same(*costs)


def test_the_desk_without_an_open_conversation_costs_the_same():
    (small, _), (large, _) = desk_with(1, lines=1), desk_with(20, lines=1, requests=6)

    expect_same(cost(lambda: small.get("/desk/")), cost(lambda: large.get("/desk/")))


def test_a_short_conversation_costs_no_more_than_a_long_one():
    (small, few), (large, many) = desk_with(1, lines=9), desk_with(20, lines=LONG)

    costs = [
        cost(lambda desk=desk, opened=opened: desk.get(reverse("desk:conversation", args=[opened.pk])))
        for desk, opened in ((small, few), (large, many))
    ]

    assert len(costs[0]) <= len(costs[1]) <= MOST


def test_polling_the_desk_costs_the_same():
    (small, few), (large, many) = desk_with(1, lines=SHORT), desk_with(20, lines=LONG, requests=6)

    for desk, opened in ((small, few), (large, many)):
        desk.get("/desk/poll/", {"open": opened.pk, "last": 5})  # what is told once costs once
    costs = [
        cost(lambda desk=desk, opened=opened: desk.get("/desk/poll/", {"open": opened.pk, "last": 5}))
        for desk, opened in ((small, few), (large, many))
    ]

    expect_same(*costs)


def test_accepting_costs_the_same():
    costs = []
    for others, lines in ((1, SHORT), (19, LONG)):
        desk, opened = desk_with(others, lines=1, requests=0)
        offer = make.offer(
            to=opened.participants.get().agent, conversation=lengthen(make.waiting_conversation(), lines)
        )
        costs.append(cost(lambda desk=desk, offer=offer: desk.post(reverse("desk:accept-offer", args=[offer.pk]))))

    expect_same(*costs)


def test_writing_costs_the_same():
    costs = []
    warm, opened = desk_with(1, lines=1)
    warm.post(reverse("desk:post", args=[opened.pk]), {"text": "Hi", "key": KEY})
    for others, lines in ((1, SHORT), (20, LONG)):
        desk, opened = desk_with(others, lines=lines)
        address = reverse("desk:post", args=[opened.pk])
        costs.append(cost(lambda desk=desk, address=address: desk.post(address, {"text": "Hi", "key": KEY})))

    expect_same(*costs)


@pytest.mark.parametrize("address", ["", "poll/?last=3", "thread/", "earlier/?before=9"])
@pytest.mark.parametrize("made", [make.waiting_conversation, make.active_conversation, make.closed_conversation])
def test_the_visitors_page_costs_the_same(made, address):
    costs = []
    for others, lines in ((1, SHORT), (40, LONG)):
        queue = make.queue()
        for _ in range(others):
            make.waiting_conversation(queue=queue)
        conversation = lengthen(made(queue=queue), lines)
        visitor = visitor_of(conversation)
        costs.append(cost(lambda visitor=visitor: visitor.get(f"/chat/current/{address}")))

    expect_same(*costs)


def test_the_list_of_queues_costs_the_same(client):
    make.queue()
    small = cost(lambda: client.get("/chat/"))
    for number in range(20):
        make.opening_hours(make.queue(f"Queue {number}"))

    expect_same(small, cost(lambda: client.get("/chat/")))


def test_the_start_page_costs_the_same_however_long_the_history_is(client):
    queue = make.queue(members=[make.agent()])
    address = reverse("chat:start", args=[queue.slug])
    for _ in range(5):  # enough to tell how long it takes
        make.closed_conversation(queue=queue)
    client.get(address)  # gives the cookie
    small = cost(lambda: client.get(address))
    for _ in range(30):
        make.closed_conversation(queue=queue)

    expect_same(small, cost(lambda: client.get(address)))
