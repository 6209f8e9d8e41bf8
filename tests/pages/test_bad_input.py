"""Words that cannot be right: each gets its clear sentence and its status, and changes nothing."""

import pytest
from django.urls import reverse
from django.utils import translation

from config import rates
from conversations.errors import KeyUsedTwice, NobodyThere, QueueClosed, QueueGone
from conversations.models import Conversation
from tests import make
from tests.pages.browsing import JSON, KEY, Page, desk_of, everything, newcomer, somewhere, visitor_of

pytestmark = pytest.mark.django_db

LANGUAGES = pytest.mark.parametrize("language", ["en", "es"])
WORDS = {"name": "Ana Pereira", "email": "", "question": "Where is my order?", "key": KEY}
EMPTY = "The message is empty. Write something first."
UNSTORABLE = "The message has a character that cannot be stored. Remove it and send again."
TOO_LONG = "The message has 4001 characters and up to 4,000 fit. Shorten it, or send it in parts."
RESERVED = "“<” and “>” are kept for the parameters of templates. Write the message without them and send it again."
BAD_KEY = "This message came without a valid key. Reload the page and send it again."
BAD_TEXTS = [
    pytest.param("", EMPTY, id="empty"),
    pytest.param(" \n\t\r\n ", EMPTY, id="blank"),
    pytest.param("\x07\x1b", EMPTY, id="only control characters"),
    pytest.param("x" * 4001, TOO_LONG, id="4,001 characters"),
    pytest.param("nu\x00l", UNSTORABLE, id="NUL"),
]
BAD_KEYS = ["short", "x" * 65, "with blank key", "ключ-ключ-ключ", "12345678\n", "1234567\x00"]


@pytest.fixture
def orders():
    return make.queue("Orders", members=[make.agent("Lucía")])


def start_of(queue):
    return reverse("chat:start", args=[queue.slug])


def posting(sender, language):
    """A browser that may write, where it posts, and the conversation."""
    lucia = make.agent("Lucía", language=language)
    conversation = make.active_conversation(lead=lucia)
    if sender == "agent":
        return desk_of(lucia), reverse("desk:post", args=[conversation.pk])
    return visitor_of(conversation, headers={"Accept-Language": language}), reverse("chat:post")


# Messages


@LANGUAGES
@pytest.mark.parametrize("sender", ["visitor", "agent"])
@pytest.mark.parametrize(("text", "words"), BAD_TEXTS)
def test_a_message_that_cannot_be_sent_is_refused_in_words(sender, text, words, language):
    client, address = posting(sender, language)
    before = everything()

    as_form = client.post(address, {"text": text, "key": KEY})
    as_frame = client.post(address, {"text": text, "key": KEY}, headers=JSON)

    if language == "en":
        assert words in Page(as_form).text
        assert as_frame.json()["frames"][0] == {"is": "refused", "key": KEY, "sentence": words, "retry_after": None}
    assert as_frame.json()["frames"][0]["sentence"] in Page(as_form).text
    assert as_form.status_code == as_frame.status_code == 422
    assert everything() == before


@pytest.mark.parametrize("sender", ["visitor", "agent"])
def test_a_message_of_4000_characters_is_sent(sender):
    client, address = posting(sender, "en")

    assert client.post(address, {"text": "ñ" * 4000, "key": KEY}, headers=JSON).status_code == 200


@LANGUAGES
@pytest.mark.parametrize("text", ["Dear <name>", "1 > 0", "<", "a<b"])
def test_an_agent_cannot_send_the_characters_of_templates(text, language):
    client, address = posting("agent", language)
    before = everything()

    response = client.post(address, {"text": text, "key": KEY}, headers=JSON)

    with translation.override(language):
        assert response.json()["frames"][0]["sentence"] == translation.gettext(RESERVED)
    assert response.status_code == 422
    assert everything() == before


def test_a_visitor_may_send_them():
    client, address = posting("visitor", "en")

    assert client.post(address, {"text": "a < b > c", "key": KEY}, headers=JSON).status_code == 200


@pytest.mark.parametrize("sender", ["visitor", "agent"])
@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_message_with_a_key_that_no_page_makes_is_refused(sender, key):
    client, address = posting(sender, "en")
    before = everything()

    response = client.post(address, {"text": "Hi", "key": key}, headers=JSON)

    assert response.status_code == 422
    assert response.json()["frames"][0]["sentence"] == BAD_KEY
    assert everything() == before


@pytest.mark.parametrize("sender", ["visitor", "agent"])
def test_a_key_with_another_text_is_refused(sender):
    client, address = posting(sender, "en")
    client.post(address, {"text": "One", "key": KEY}, headers=JSON)
    before = everything()

    response = client.post(address, {"text": "Two", "key": KEY}, headers=JSON)

    assert response.status_code == 409
    assert response.json()["frames"][0]["sentence"] == str(KeyUsedTwice.sentence)
    assert everything() == before


@pytest.mark.parametrize("sender", ["visitor", "agent"])
@pytest.mark.parametrize(
    "body", [b"text=%ED%A0%80&key=" + KEY.encode(), b"text=%FF%FE&key=" + KEY.encode()], ids=["surrogate", "no UTF-8"]
)
def test_bytes_that_are_no_text_never_become_half_a_character(sender, body):
    client, address = posting(sender, "en")

    response = client.post(address, body, content_type="application/x-www-form-urlencoded", headers=JSON)

    assert response.status_code in (200, 400, 422)


@pytest.mark.parametrize("sender", ["visitor", "agent"])
def test_a_body_beyond_all_measure_is_refused(sender, settings):
    client, address = posting(sender, "en")
    before = everything()

    response = client.post(address, {"text": "x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1), "key": KEY})

    assert response.status_code in (400, 413, 422)
    assert Page(response).one("h1").text
    assert everything() == before


@pytest.mark.parametrize("sender", ["visitor", "agent"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"{", "application/json"), (b"--x\r\n", "multipart/form-data; boundary=x"), (b"a" * 99, "multipart/form-data"),
     (b"\xff" * 99, "application/x-www-form-urlencoded"), (b"", "text/plain")],
)  # fmt: skip
def test_a_body_that_is_no_form_is_refused_and_changes_nothing(sender, body, kind):
    client, address = posting(sender, "en")
    before = everything()

    response = client.post(address, body, content_type=kind)

    assert response.status_code in (400, 422)
    assert everything() == before


@pytest.mark.parametrize("headers", [{}, JSON])
@pytest.mark.parametrize("sender", ["visitor", "agent"])
def test_who_writes_too_fast_is_told_when_to_try_again(sender, headers, settings):
    settings.MESSAGES_PER_MINUTE = 3
    client, address = posting(sender, "en")
    for number in range(3):
        client.post(address, {"text": "Hi", "key": f"message-{number}"})
    before = everything()

    response = client.post(address, {"text": "Kept words", "key": KEY}, headers=headers)

    assert response.status_code == 429
    assert 1 <= int(response["Retry-After"]) <= 60 if not headers else True
    if headers:
        (frame,) = response.json()["frames"]
        assert 1 <= frame["retry_after"] <= 60
        assert str(frame["retry_after"]) in frame["sentence"]
    else:
        assert f"try again in {response['Retry-After']} seconds" in Page(response).text
        assert Page(response).one("textarea", id="kept").text == "Kept words"
    assert everything() == before


def test_one_fast_writer_does_not_slow_another(settings):
    settings.MESSAGES_PER_MINUTE = 1
    (first, address), (second, _) = posting("visitor", "en"), posting("visitor", "en")
    for number in range(2):
        first.post(address, {"text": "Hi", "key": f"message-{number}"})

    assert second.post(address, {"text": "Hi", "key": KEY}, headers=JSON).status_code == 200


# Starting


@LANGUAGES
@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "Please tell us your name."),
        ("name", " \u200e\u202e ", "Please tell us your name."),
        ("name", "x" * 10_000, "This name is too long: up to 80 characters fit."),
        ("name", "x" * 81, "This name is too long: up to 80 characters fit."),
        ("name", "An\x00a", "Null characters are not allowed."),
        ("email", "ana", "Enter a full address, like ana@example.com."),
        ("email", "ana@", "Enter a full address, like ana@example.com."),
        ("email", "a@b@example.com", "Enter a full address, like ana@example.com."),
        ("email", "ana@example.com\nBcc: x@example.com", "Enter a full address, like ana@example.com."),
        ("email", "a" * 250 + "@example.com", "This address is too long: up to 254 characters fit."),
        ("question", "", EMPTY),
        ("question", " \n ", EMPTY),
        ("question", "x" * 4001, TOO_LONG),
        ("question", "nu\x00l", UNSTORABLE),
    ],
)
def test_a_start_form_with_a_fault_says_it_at_the_field_and_starts_nothing(orders, field, value, words, language):
    visitor = newcomer(headers={"Accept-Language": language})

    response = visitor.post(start_of(orders), {**WORDS, field: value})

    page = Page(response)
    error = page.one(id=f"id_{field}-error").text
    assert response.status_code == 422
    assert error
    assert language == "es" or words == error
    assert page.one(id=f"id_{field}")["aria-describedby"] == f"id_{field}-error"
    assert not Conversation.objects.exists()


def test_a_queue_that_requires_an_email_address_refuses_without_one(orders):
    orders.requires_email = True
    orders.save()

    response = newcomer().post(start_of(orders), WORDS)

    assert response.status_code == 422
    assert "Please enter your email address" in Page(response).one(id="id_email-error").text
    assert not Conversation.objects.exists()


def test_what_was_typed_stays_in_the_form(orders):
    typed = {"name": 'A"><b>', "email": "no<t>@", "question": "</textarea><script>x</script>"}

    page = Page(newcomer().post(start_of(orders), {**WORDS, **typed}))

    assert page.one(id="id_name")["value"] == typed["name"]
    assert page.one(id="id_email")["value"] == typed["email"]
    assert page.one(id="id_question").text == typed["question"]
    assert not page.all("b")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("<b>Ana</b>", "<b>Ana</b>"),
        ("\u202eanA\u202c", "anA"),
        ("  Ana \t\n Pereira  ", "Ana Pereira"),
        ("אנה", "אנה"),
        ("👩‍🚀 Ana", "👩‍🚀 Ana"),
        ("x" * 80, "x" * 80),
    ],
)
def test_a_name_is_kept_as_one_line_of_text(orders, typed, kept):
    visitor = newcomer()

    visitor.post(start_of(orders), {**WORDS, "name": typed})

    assert Conversation.objects.get().visitor_name == kept
    assert visitor.get("/chat/current/").status_code == 200


@LANGUAGES
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("slug", ["nothing", "ORDERS", "-", "ord'ers", "%00", "%F0%9F%98%80", "x" * 2000, "retired"])
def test_an_unknown_queue_is_not_found_with_a_way_on(orders, slug, method, language):
    make.queue("Retired", slug="retired", is_in_use=False)
    visitor = newcomer(headers={"Accept-Language": language})

    response = getattr(visitor, method)(f"/chat/{slug}/", WORDS)

    page = Page(response)
    assert response.status_code == 404
    with translation.override(language):
        assert str(QueueGone.sentence) in page.text
    assert page.all("a", href="/chat/")
    assert not Conversation.objects.exists()


@LANGUAGES
def test_a_queue_that_closed_while_the_visitor_typed_keeps_his_words_and_starts_nothing(language):
    night = make.closed_queue("Night", members=[make.agent()])
    visitor = newcomer(headers={"Accept-Language": language})

    response = visitor.post(start_of(night), {**WORDS, "question": "My <long> story"})

    assert response.status_code == QueueClosed.status == 409
    assert Page(response).one("textarea", id="kept").text == "My <long> story"
    assert not Conversation.objects.exists()


def test_a_queue_that_everybody_left_while_the_visitor_typed_keeps_his_words_and_starts_nothing():
    queue = make.queue("Orders")

    response = newcomer().post(start_of(queue), {**WORDS, "question": "My <long> story"})

    assert response.status_code == NobodyThere.status == 409
    assert Page(response).one("textarea", id="kept").text == "My <long> story"
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("key", ["short", "x" * 65, "with blank key", "ключ-ключ-ключ", "1234567\x00"])
def test_a_start_form_with_a_key_that_no_page_makes_is_refused(orders, key):
    response = newcomer().post(start_of(orders), {**WORDS, "key": key})

    assert response.status_code == 422
    assert Page(response).all("span", class_="error") or Page(response).all(class_="notice error")
    assert not Conversation.objects.exists()


@LANGUAGES
def test_too_many_starts_from_one_address_are_told_when_to_try_again(orders, settings, language):
    settings.CHATS_PER_HOUR, address = 2, somewhere()
    for _ in range(2):
        newcomer(REMOTE_ADDR=address).post(start_of(orders), WORDS)

    response = newcomer(REMOTE_ADDR=address, headers={"Accept-Language": language}).post(start_of(orders), WORDS)

    page = Page(response)
    assert response.status_code == 429
    assert response["Retry-After"] in page.one(role="alert", class_="notice error").text
    assert page.one(id="id_question").text == WORDS["question"]
    assert Conversation.objects.count() == 2


def test_a_proxys_word_about_the_address_counts_only_where_one_is_trusted(orders, settings):
    settings.CHATS_PER_HOUR, address = 1, somewhere()
    claimed = somewhere()
    forged = {"X-Forwarded-For": claimed}
    newcomer(REMOTE_ADDR=address).post(start_of(orders), WORDS)

    assert newcomer(REMOTE_ADDR=address).post(start_of(orders), WORDS, headers=forged).status_code == 429
    settings.TRUSTED_PROXY = True
    assert newcomer(REMOTE_ADDR=address).post(start_of(orders), WORDS, headers=forged).status_code == 302
    more = {"X-Forwarded-For": f"198.51.100.1, {claimed}"}
    assert newcomer(REMOTE_ADDR=address).post(start_of(orders), WORDS, headers=more).status_code == 429
    rates.forget_all()


# Closing notes


def test_a_closing_note_beyond_its_length_is_refused_with_the_words_kept():
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia)
    reason = make.closing_reason(conversation.queue)
    before = everything()

    response = desk_of(lucia).post(
        reverse("desk:closing", args=[conversation.pk]), {"reason": reason.pk, "note": "x" * 2001}
    )

    page = Page(response)
    assert response.status_code == 422
    assert "up to 2000 characters" in page.one(id=f"closing-note-error-{conversation.pk}").text
    assert page.one("textarea", name="note").text == "x" * 2001
    assert everything() == before


@pytest.mark.parametrize("values", [{"note": "nu\x00l"}, {"reason": "1\x00"}])
def test_a_closing_form_with_nul_is_refused(values):
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia)
    reason = make.closing_reason(conversation.queue)
    before = everything()

    response = desk_of(lucia).post(
        reverse("desk:closing", args=[conversation.pk]), {"reason": reason.pk, "note": "", **values}
    )

    assert response.status_code == 422
    assert everything() == before
