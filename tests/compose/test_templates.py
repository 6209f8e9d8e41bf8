"""Templates of replies: whose, in which order, with what filled, and which are refused."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.models import ReplyTemplate
from conversations.reply_templates import check_parameters, fill, offered
from tests import make
from tests.pages.browsing import Page, desk_of

pytestmark = pytest.mark.django_db


def template(title, text="Hello.", **fields):
    return ReplyTemplate.objects.create(title=title, text=text, **fields)


def titles(conversation, query=""):
    lead = conversation.participants.first().agent
    return [reply.title for reply in offered(conversation, lead, query)]


@pytest.fixture
def talk():
    orders = make.queue("Orders")
    lucia = make.agent("Lucía Marín", queues=[orders])
    return make.active_conversation(lead=lucia, queue=orders, visitor_email="ana@example.com", language="es")


def list_of(talk, query=""):
    lead = talk.participants.first().agent
    return desk_of(lead).get(reverse("desk:templates", args=[talk.pk]), {"q": query})


def test_an_agent_is_offered_those_of_the_queue_and_common_ones_that_are_in_use(talk):
    template("Common")
    template("Own", queue=talk.queue)
    template("Another queue's", queue=make.queue("Returns"))
    template("Retired", is_in_use=False)

    assert titles(talk) == ["Own", "Common"]


def test_the_conversations_language_comes_first_and_another_language_last(talk):
    template("A English", language="en")
    template("B any")
    template("C Spanish", language="es")

    assert titles(talk) == ["C Spanish", "B any", "A English"]


def test_a_shortcut_is_found_before_a_title_and_a_title_before_the_text(talk):
    template("Something else", "We refund you.")
    template("About a refund")
    template("Refund is done")
    template("Zebra", shortcut="refund")

    assert titles(talk, "refund") == ["Zebra", "Refund is done", "About a refund", "Something else"]
    assert titles(talk, "/refund") == titles(talk, "refund")


@pytest.mark.parametrize("query", ["devolución", "DEVOLUCION", "devoluc caja", "  Devolución  "])
def test_capitals_accents_and_the_order_of_words_do_not_matter(talk, query):
    template("Devolución", "En la misma caja.")

    assert titles(talk, query) == ["Devolución"]


def test_what_fits_nothing_is_said_in_a_sentence(talk):
    template("Greeting")

    page = list_of(talk, "zzz").content.decode()

    assert "No template has “zzz”." in page
    assert "listbox" not in page


@pytest.mark.parametrize("query", ["\x00", "%", "'", "<script>", "x" * 5000, "\ud83d", "(", "\\"])
def test_a_strange_query_is_answered(talk, query):
    template("Greeting")

    assert list_of(talk, query.encode("utf-8", "replace")).status_code == 200


def test_the_list_has_at_most_twenty_and_costs_the_same_for_a_hundred(talk):
    template("First")
    with CaptureQueriesContext(connection) as few:
        list_of(talk)
    ReplyTemplate.objects.bulk_create(ReplyTemplate(title=f"More {number}", text="x") for number in range(100))

    with CaptureQueriesContext(connection) as many:
        response = list_of(talk)

    assert len(Page(response).all("li", role="option")) == 20
    assert len(many) == len(few)


def test_what_is_known_is_filled_and_everything_else_stays(talk):
    text = "Dear <customer name>, I am <Agent  Name> of <queue>. We write to <email> about <order number>."

    filled = fill(text, talk, talk.participants.first().agent)

    assert filled == ("Dear Ana Pereira, I am Lucía Marín of Orders. We write to ana@example.com about <order number>.")


def test_an_email_that_is_missing_stays_to_be_filled(talk):
    talk.visitor_email = ""

    assert fill("<email>", talk, talk.participants.first().agent) == "<email>"


def test_a_name_with_angles_does_not_become_a_parameter(talk):
    talk.visitor_name = "Ana <b>"

    assert fill("Dear <customer name>", talk, talk.participants.first().agent) == "Dear Ana b"


def test_the_list_gives_the_filled_text_and_runs_nothing_of_it(talk):
    template('Quote " and <b>', 'Dear <customer name>, "quoted" <order number> & more\nline two')

    (option,) = Page(list_of(talk)).all("li", role="option")

    assert option["data-text"] == 'Dear Ana Pereira, "quoted" <order number> & more\nline two'
    assert 'Quote " and <b>' in option.text


def test_templates_of_a_conversation_that_is_not_ones_own_are_not_there(talk):
    response = desk_of(make.agent("Jonas")).get(reverse("desk:templates", args=[talk.pk]))

    assert response.status_code == 404


def test_whoever_is_not_signed_in_is_asked_to(talk, client):
    assert client.get(reverse("desk:templates", args=[talk.pk])).status_code == 302


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Hello\nyour <order number", "In line 2 a “<” has no “>” after it"),
        ("2 > 1", "In line 1 a “>” has no “<” before it"),
        ("<a <b>", "In line 1 a “<” has no “>” after it"),
        ("<>", "In line 1 a parameter has no name"),
        ("<  >", "In line 1 a parameter has no name"),
        ("<order\nnumber>", "In line 1 a “<” has no “>” after it"),
    ],
)
def test_a_broken_parameter_is_refused_with_its_line(text, sentence):
    with pytest.raises(ValidationError) as refusal:
        check_parameters(text)

    assert sentence in refusal.value.messages[0]


@pytest.mark.parametrize("text", ["", "Hello", "<a> and <b c>", "<a><b>\n<número de pedido>"])
def test_whole_parameters_are_taken(text):
    check_parameters(text)
