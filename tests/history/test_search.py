"""An agent finds his own conversations: by customer, text, date and queue, page by page, marked and masked."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conversations.models import Message, Participant
from conversations.search import PAGE, SearchForm, Wanted, marked, messages_with, search, snippet, words_of
from conversations.states import Role
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def lucia():
    return make.agent("Lucía")


def names(agent, **wanted):
    """The customers of what is found, in order."""
    wanted["words"] = words_of(wanted.pop("text", ""))
    return [one.conversation.visitor_name for one in search(agent, Wanted(**wanted)).found]


def talk(lead, name, *texts, **fields):
    made = make.closed_conversation(lead=lead, visitor_name=name, **fields)
    for text in texts:
        make.message(made, text)
    return made


def test_an_agent_finds_only_what_he_took_part_in(lucia):
    jonas = make.agent("Jonas")
    talk(lucia, "Ana", "parcel")
    helped = talk(jonas, "Ben", "parcel")
    make.participant(helped, lucia, role=Role.GUEST, left_at=make.database_now())
    talk(jonas, "Carla", "parcel")

    assert names(lucia, text="parcel") == ["Ben", "Ana"]
    assert names(lucia) == ["Ben", "Ana"]


def test_a_conversation_that_he_joined_twice_is_found_once_where_he_joined_last(lucia):
    twice = talk(lucia, "Ana")
    talk(lucia, "Ben")
    make.participant(twice, lucia)

    assert names(lucia) == ["Ana", "Ben"]


def test_customers_are_found_by_name_and_email(lucia):
    talk(lucia, "Ana Pereira", visitor_email="ana@example.com")
    talk(lucia, "Jonas Thiel", visitor_email="jt@example.org")

    assert names(lucia, customer="pereira") == ["Ana Pereira"]
    assert names(lucia, customer="EXAMPLE.org") == ["Jonas Thiel"]
    assert names(lucia, customer="100%") == []


def test_all_words_must_stand_in_one_message_and_beginnings_are_enough(lucia):
    talk(lucia, "Ana", "My order 48213 is late", "Where is the parcel?")

    assert names(lucia, text="48213 order") == ["Ana"]
    assert names(lucia, text="ORD 482") == ["Ana"]
    assert names(lucia, text="order parcel") == []


@pytest.mark.parametrize(
    "text", ["ana@example.com", "O'Brien", "back\\slash", "rua-das-flores", "a:*", "(x|y)&!z", "50%"]
)
def test_signs_in_a_search_are_text_and_break_nothing(lucia, text):
    talk(lucia, "Ana", f"They said {text} yesterday")
    talk(lucia, "Ben", "Something else")

    assert names(lucia, text=text) == ["Ana"]


def test_a_search_of_signs_alone_is_no_search(lucia):
    assert words_of("!!! & | :*") == ()


def test_notes_are_found_and_named_as_notes(lucia):
    noted = talk(lucia, "Ana")
    make.note(noted, "Carrier cut-off is 11:00.", by=lucia)

    (found,) = search(lucia, Wanted(words=("carrier",))).found

    assert found.is_note
    assert "<mark>Carrier</mark>" in found.line


def test_a_restricted_word_stays_masked_and_is_not_found(lucia):
    rude = talk(lucia, "Ana")
    make.message(rude, "You scoundrel, where is it?", details={"for_agents": "You *********, where is it?"})

    assert names(lucia, text="scoundrel") == []
    (found,) = search(lucia, Wanted(words=("where",))).found
    assert "scoundrel" not in found.line
    assert "*********" in found.line


def test_days_and_queues_narrow_the_search(lucia):
    orders, returns = make.queue("Orders"), make.queue("Returns")
    early = talk(lucia, "Ana", queue=orders)
    talk(lucia, "Ben", queue=returns)
    moment = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
    Participant.objects.filter(conversation=early).update(joined_at=moment)

    assert names(lucia, queue_id=returns.pk) == ["Ben"]
    assert names(lucia, since=moment, until=moment + dt.timedelta(seconds=1)) == ["Ana"]
    assert names(lucia, until=moment) == []
    assert names(lucia, since=moment + dt.timedelta(seconds=1)) == ["Ben"]


def test_days_of_the_form_begin_and_end_at_midnight_in_the_agents_zone():
    form = SearchForm({"since": "2026-03-10", "until": "2026-03-10"})
    assert form.is_valid()

    wanted = form.wanted(dt.timezone(dt.timedelta(hours=2)))

    assert wanted.since == dt.datetime(2026, 3, 9, 22, tzinfo=dt.UTC)
    assert wanted.until == dt.datetime(2026, 3, 10, 22, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "values",
    [
        {"since": "2026-03-11", "until": "2026-03-10"},
        {"since": "yesterday"},
        {"until": "9999-12-31"},
        {"since": "0001-01-01"},
        {"queue": "0"},
        {"queue": "x"},
        {"text": "x" * 201},
        {"customer": "a\x00b"},
    ],
)
def test_bad_input_is_refused_by_the_form(values):
    assert not SearchForm(values).is_valid()


def test_the_list_is_paged_by_key_without_gaps_or_doubles(lucia):
    for number in range(2 * PAGE + 3):
        talk(lucia, f"Customer {number:02}")
    same = Participant.objects.filter(agent=lucia).order_by("pk").first().joined_at
    Participant.objects.filter(agent=lucia, pk__in=Participant.objects.order_by("pk")[:30]).update(joined_at=same)

    seen, before, sizes = [], 0, []
    while before is not None:
        page = search(lucia, Wanted(), before=before)
        seen += [one.conversation.pk for one in page.found]
        sizes.append(len(page.found))
        assert page.count == 2 * PAGE + 3
        before = page.next_before

    assert sizes == [PAGE, PAGE, 3]
    assert len(set(seen)) == len(seen) == 2 * PAGE + 3


def test_a_page_behind_somebody_elses_stay_is_the_first_page(lucia):
    talk(lucia, "Ana")
    foreign = make.participant(talk(make.agent("Jonas"), "Ben"), make.agent("Sofía"))

    page = search(lucia, Wanted(), before=foreign.pk)

    assert [one.conversation.visitor_name for one in page.found] == ["Ana"]


def test_a_search_costs_the_same_among_3_and_60_conversations(lucia):
    def cost():
        with CaptureQueriesContext(connection) as captured:
            page = search(lucia, Wanted(customer="a", words=("where",)))
            assert [one.conversation.queue.name for one in page.found]
        return len(captured)

    for number in range(3):
        talk(lucia, f"Ana {number}")
    few = cost()
    for number in range(57):
        talk(lucia, f"Ana {number}", *["Where?"] * (number % 3))

    assert cost() == few <= 4


def test_what_matched_is_marked_and_everything_is_escaped():
    assert marked("<b>Order</b> & order", ["order", "<b"]) == (
        "<mark>&lt;b</mark>&gt;<mark>Order</mark>&lt;/b&gt; &amp; <mark>order</mark>"
    )
    assert marked("a.c abc", ["a.c"]) == "<mark>a.c</mark> abc"
    assert marked("<i>", []) == "&lt;i&gt;"


def test_a_snippet_shows_the_match_in_a_long_text():
    shown = snippet("before " * 60 + "needle" + " after" * 60, ["NEEDLE"])

    assert shown.startswith("…before")
    assert "needle after" in shown
    assert shown.endswith("…")
    assert len(shown) <= 162


@pytest.mark.only_on("postgresql")
def test_words_are_found_by_their_index(lucia):
    talked = talk(lucia, "Ana")
    Message.objects.bulk_create(
        Message(
            conversation=talked,
            number=number,
            sender="visitor",
            key=f"many-{number:06}",
            text=f"filler{number}",
            created_at=make.database_now(),
        )
        for number in range(10, 5000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE conversations_message")
    plan = messages_with(("filler4321",)).explain()

    assert "message_words" in plan
