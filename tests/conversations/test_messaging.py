"""Messages: cleaned, numbered in order, kept once per key, and refused with a sentence."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config import live
from config.clock import database_now
from conversations.actions.messaging import Draft, Posted, post, post_batch
from conversations.errors import AlreadyEnded, Gone, Invalid, KeyUsedTwice, MessageRefused
from conversations.masking import restricted
from conversations.models import LONGEST_MESSAGE
from conversations.states import MessageKind, Party, State
from tests import make
from tests.rows import fresh, nothing_changes, refuses

pytestmark = pytest.mark.django_db

KEY = "0123abcd-key"
HUGE = 10**30


def by_visitor(conversation, text="Hello", key=KEY, **fields):
    return Draft(conversation.pk, Party.VISITOR, text, key, **fields)


def by_agent(conversation, agent, text="Hello", key=KEY, **fields):
    return Draft(conversation.pk, Party.AGENT, text, key, agent_id=agent.pk, **fields)


@pytest.mark.parametrize("made", [make.waiting_conversation, make.active_conversation])
def test_a_visitor_writes_while_waiting_and_while_active(made):
    conversation = made()
    number, count = conversation.last_number, conversation.visitor_count

    posted = post(by_visitor(conversation, "And my bill?"))

    assert not posted.is_repeat
    message = fresh(posted.message)
    assert (message.number, message.sender, message.agent) == (number + 1, Party.VISITOR, None)
    assert (message.text, message.key, message.kind) == ("And my bill?", KEY, MessageKind.TEXT)
    conversation = fresh(conversation)
    assert (conversation.last_number, conversation.visitor_count) == (number + 1, count + 1)
    assert (conversation.last_line, conversation.last_line_by) == ("And my bill?", Party.VISITOR)
    assert conversation.last_message_at == conversation.visitor_spoke_at == message.created_at


@pytest.mark.parametrize("is_guest", [False, True])
def test_the_lead_and_a_guest_write(is_guest):
    lucia, jonas = make.agent("Lucía"), make.agent("Jonas")
    conversation = make.active_conversation(lead=lucia, guests=[jonas])
    spoke_at, count = conversation.visitor_spoke_at, conversation.visitor_count

    posted = post(by_agent(conversation, jonas if is_guest else lucia))

    assert fresh(posted.message).agent == (jonas if is_guest else lucia)
    conversation = fresh(conversation)
    assert (conversation.last_line_by, conversation.visitor_count) == (Party.AGENT, count)
    assert conversation.visitor_spoke_at == spoke_at


def test_numbers_follow_each_other_whoever_writes():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)

    numbers = [
        post(by_visitor(conversation, key="key-number-1")).message.number,
        post(by_agent(conversation, lucia, key="key-number-2")).message.number,
        post(by_visitor(conversation, key="key-number-3")).message.number,
    ]

    assert numbers == [2, 3, 4]


def test_an_answer_of_the_visitor_takes_the_question_back_whether_he_is_there():
    conversation = make.active_conversation(asked_if_there_at=make.ago(5))

    post(by_visitor(conversation))

    assert fresh(conversation).asked_if_there_at is None


def test_a_message_of_the_agent_does_not_answer_for_the_visitor():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia, asked_if_there_at=make.ago(5))

    post(by_agent(conversation, lucia))

    assert fresh(conversation).asked_if_there_at is not None


def test_the_same_key_again_is_the_same_message_and_the_same_answer():
    conversation = make.waiting_conversation()
    first = post(by_visitor(conversation, " Hello\r\n"))

    with nothing_changes():
        second = post(by_visitor(conversation, "Hello"))

    assert (second.message, second.is_repeat) == (first.message, True)
    assert second.message.number == first.message.number


def test_a_retry_after_the_end_is_answered_because_it_was_sent():
    conversation = make.waiting_conversation()
    posted = post(by_visitor(conversation))
    type(conversation).objects.filter(pk=conversation.pk).update(state=State.WRAP_UP, ended_at=database_now())

    with nothing_changes():
        assert post(by_visitor(conversation)).message == posted.message


def test_the_same_key_with_another_text_is_refused():
    conversation = make.waiting_conversation()
    post(by_visitor(conversation, "Hello"))

    with refuses(KeyUsedTwice) as refusal:
        post(by_visitor(conversation, "Goodbye"))

    assert refusal.value.status == 409


def test_the_same_key_of_another_sender_is_another_message():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)

    first, second = post(by_visitor(conversation)), post(by_agent(conversation, lucia))

    assert (second.message.number, second.is_repeat) == (first.message.number + 1, False)


def test_the_same_key_in_another_conversation_is_another_message():
    first, second = make.waiting_conversation(), make.waiting_conversation()

    assert post(by_visitor(first)).message != post(by_visitor(second)).message


TOO_LONG = "x" * (LONGEST_MESSAGE + 1)


@pytest.mark.parametrize(
    "text", ["", "   ", "\n\t\n", "\x07\x1b", TOO_LONG, "a\x00b", "\x00", "\ud800", "a\udfffb", None, 7, ["a"]]
)
@pytest.mark.parametrize("sender", Party)
def test_what_is_no_message_is_refused(sender, text):
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    draft = by_agent(conversation, lucia, text) if sender == Party.AGENT else by_visitor(conversation, text)

    with refuses(MessageRefused) as refusal:
        post(draft)

    assert refusal.value.status == 422


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "key with blanks", "ключ-ключ", "key\n0123456", None, 12345678])
def test_a_message_without_a_valid_key_is_refused(key):
    conversation = make.waiting_conversation()

    with refuses(Invalid):
        post(by_visitor(conversation, key=key))


@pytest.mark.parametrize("text", ["a < b", "<name>", "b > a", "Dear <customer>,"])
def test_an_agent_may_not_write_the_marks_of_parameters(text):
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)

    with refuses(MessageRefused):
        post(by_agent(conversation, lucia, text))


def test_a_visitor_may_write_the_marks_of_parameters():
    conversation = make.waiting_conversation()

    assert post(by_visitor(conversation, "<b>5 > 3</b>")).message.text == "<b>5 > 3</b>"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("  Hello \n", "Hello"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("tab\tstays", "tab\tstays"),
        ("bell\x07 and \x1b[31mred\x9f", "bell and [31mred"),
        ("x" * LONGEST_MESSAGE, "x" * LONGEST_MESSAGE),
        ("  " + "ñ" * LONGEST_MESSAGE + "  ", "ñ" * LONGEST_MESSAGE),
        ("👩‍👩‍👧 ¿qué tal? שלום", "👩‍👩‍👧 ¿qué tal? שלום"),
    ],
)
def test_a_text_is_stored_clean(text, stored):
    conversation = make.waiting_conversation()

    assert fresh(post(by_visitor(conversation, text)).message).text == stored


def test_the_last_line_is_one_line_of_120_characters():
    conversation = make.waiting_conversation()

    post(by_visitor(conversation, "one\ntwo   three " + "x" * 200))

    assert fresh(conversation).last_line == "one two three " + "x" * 106


@pytest.mark.parametrize("made", [make.wrap_up_conversation, make.abandoned_conversation])
def test_an_ended_conversation_takes_no_more_messages_of_its_visitor(made):
    conversation = made()

    with refuses(AlreadyEnded) as refusal:
        post(by_visitor(conversation))

    assert refusal.value.status == 409


def test_the_lead_who_wraps_up_writes_no_more():
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia)

    with refuses(AlreadyEnded):
        post(by_agent(conversation, lucia))


def test_someone_elses_conversation_takes_no_message_of_an_agent():
    conversation, jonas = make.active_conversation(lead=make.agent("Lucía")), make.agent("Jonas")

    with refuses(Gone) as refusal:
        post(by_agent(conversation, jonas))

    assert refusal.value.status == 404


def test_an_agent_who_left_writes_no_more():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    conversation.participants.update(left_at=database_now())

    with refuses(Gone):
        post(by_agent(conversation, lucia))


def test_an_agent_who_left_is_told_that_what_he_sent_before_is_stored():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    posted = post(by_agent(conversation, lucia))
    conversation.participants.update(left_at=database_now())

    again = post(by_agent(conversation, lucia))

    assert (again.message, again.is_repeat) == (posted.message, True)
    assert conversation.messages.filter(agent=lucia).count() == 1
    with refuses(KeyUsedTwice):
        post(by_agent(conversation, lucia, "Something else"))


def test_an_agent_who_was_only_asked_writes_nothing():
    lucia = make.agent("Lucía")
    conversation = make.offer(to=lucia).conversation

    with refuses(Gone):
        post(by_agent(conversation, lucia))


@pytest.mark.parametrize("conversation_id", [0, -1, 987_654, HUGE])
@pytest.mark.parametrize("sender", [Party.VISITOR, Party.AGENT])
def test_an_unknown_conversation_is_refused(sender, conversation_id):
    lucia = make.agent("Lucía")

    with refuses(Gone):
        post(Draft(conversation_id, sender, "Hello", KEY, agent_id=lucia.pk if sender == Party.AGENT else None))


def test_one_refused_message_does_not_stop_the_others_of_its_batch():
    lucia = make.agent("Lucía")
    mine, closed = make.active_conversation(lead=lucia), make.closed_conversation()
    drafts = [
        by_visitor(mine, "one", key="key-number-1"),
        by_visitor(mine, "", key="key-number-2"),
        by_visitor(closed, "late", key="key-number-3"),
        Draft(HUGE, Party.VISITOR, "lost", "key-number-4"),
        by_agent(mine, lucia, "two", key="key-number-5"),
    ]

    answers = post_batch(drafts)

    assert [type(answer) for answer in answers] == [Posted, MessageRefused, AlreadyEnded, Gone, Posted]
    assert [(message.number, message.text) for message in mine.messages.order_by("number")[1:]] == [
        (2, "one"),
        (3, "two"),
    ]
    assert fresh(closed).last_number == closed.last_number


def test_a_batch_keeps_the_order_in_each_conversation():
    first, second = make.waiting_conversation(), make.waiting_conversation()
    drafts = [by_visitor(one, f"{n}", key=f"key-number-{n}") for n in range(6) for one in (first, second)]

    post_batch(drafts)

    for one in (first, second):
        texts = one.messages.order_by("number").values_list("number", "text")
        assert list(texts)[1:] == [(n + 2, f"{n}") for n in range(6)]
        assert (fresh(one).last_number, fresh(one).visitor_count, fresh(one).last_line) == (7, 7, "5")


def test_the_same_message_twice_in_a_batch_is_stored_once():
    conversation = make.waiting_conversation()

    first, second, third = post_batch(
        [by_visitor(conversation), by_visitor(conversation), by_visitor(conversation, "Other")]
    )

    assert (first.is_repeat, second.is_repeat, type(third)) == (False, True, KeyUsedTwice)
    assert first.message.pk == second.message.pk is not None
    assert conversation.messages.count() == 2


def test_an_empty_batch_is_answered_with_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert post_batch([]) == []


def test_a_batch_costs_the_same_whatever_its_size():
    lucia = make.agent("Lucía", capacity=20)
    conversations = [make.active_conversation(lead=lucia) for _ in range(20)]
    restricted.read()  # once in the life of a process

    def cost(of, key):
        drafts = [draft for one in of for draft in (by_visitor(one, key=key), by_agent(one, lucia, key=key))]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            post_batch(drafts)
        return len(queries)

    assert cost(conversations[:2], "key-number-1") == cost(conversations, "key-number-2") <= 9


def test_a_message_rings_the_thread_with_its_number(monkeypatch, django_capture_on_commit_callbacks):
    rings = []
    monkeypatch.setattr(live, "send_rings", rings.extend)
    conversation = make.waiting_conversation()

    with django_capture_on_commit_callbacks(execute=True):
        post(by_visitor(conversation))

    (ring,) = rings
    assert (ring["what"], ring["conversation"], ring["number"], ring["visitor_count"]) == (
        "posted",
        conversation.pk,
        2,
        2,
    )


def test_a_refused_message_rings_nothing(monkeypatch, django_capture_on_commit_callbacks):
    rings = []
    monkeypatch.setattr(live, "send_rings", rings.extend)
    conversation = make.abandoned_conversation()

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(AlreadyEnded):
        post(by_visitor(conversation))

    assert rings == []
