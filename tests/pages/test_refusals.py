"""What is not yours, not there any more or not asked in the right way: the same answer, and nothing changes."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.html import escape

from agents.states import AgentState
from conversations import errors
from conversations.states import OfferState
from tests import make
from tests.pages.browsing import HTMX, JSON, KEY, Page, desk_of, everything, visitor_of

pytestmark = pytest.mark.django_db

LANGUAGES = pytest.mark.parametrize("language", ["en", "es"])
HUGE = 2**63
VERBS = [("post", {"text": "Hi", "key": KEY}), ("end", {}), ("closing", {"reason": "1"})]


@pytest.fixture
def lucia():
    return make.agent("Lucía")


def sentence(refusal, language="en"):
    with translation.override(language):
        return str(refusal.sentence)


def expect(response, refusal, language="en"):
    """The refusal's status and its sentence, escaped, where the person looks."""
    words = sentence(refusal, language)
    assert response.status_code == refusal.status
    assert words
    assert escape(words) in response.content.decode()


# Not yours, not there


@LANGUAGES
@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize(("name", "values"), VERBS)
def test_no_act_on_a_colleagues_conversation(name, values, headers, language):
    jonas = make.agent("Jonas", language=language)
    foreign = make.wrap_up_conversation() if name == "closing" else make.active_conversation()
    before = everything()

    response = desk_of(jonas).post(reverse(f"desk:{name}", args=[foreign.pk]), values, headers=headers)

    expect(response, errors.Gone, language)
    assert everything() == before


@pytest.mark.parametrize("name", ["conversation", "closing", "transcript", "earlier"])
def test_no_look_at_a_colleagues_conversation(lucia, name):
    foreign = make.active_conversation(lead=make.agent("Jonas"), visitor_name="Secret Person")

    response = desk_of(lucia).get(reverse(f"desk:{name}", args=[foreign.pk]))

    expect(response, errors.Gone)
    assert "Secret Person" not in response.content.decode()


@pytest.mark.parametrize("unknown", [999_999, 0, HUGE - 1, HUGE, 10**30])
def test_foreign_and_unknown_are_the_same(lucia, unknown):
    foreign = make.active_conversation(lead=make.agent("Jonas"))
    desk = desk_of(lucia)

    for name, values in VERBS:
        answers = [
            desk.post(f"/desk/conversations/{pk}/{'messages' if name == 'post' else name}/", values, headers=HTMX)
            for pk in (foreign.pk, unknown)
        ]
        assert [a.status_code for a in answers] == [404, 404]
        assert answers[0].content == answers[1].content
    for name in ("", "closing/", "transcript/", "earlier/"):
        assert desk.get(f"/desk/conversations/{unknown}/{name}").status_code == 404
    for verb in ("accept", "decline"):
        assert desk.post(f"/desk/offers/{unknown}/{verb}/").status_code == 404


def test_who_left_a_conversation_may_read_it_and_not_write_in_it(lucia):
    conversation = make.closed_conversation(lead=lucia)
    desk = desk_of(lucia)
    before = everything()

    assert desk.get(reverse("desk:transcript", args=[conversation.pk])).status_code == 200
    assert desk.get(reverse("desk:conversation", args=[conversation.pk])).status_code == 404
    for name, values in VERBS:
        expect(desk.post(reverse(f"desk:{name}", args=[conversation.pk]), values), errors.Gone)
    assert everything() == before


def test_an_earlier_conversation_of_the_own_customer_can_be_read_by_session_and_by_email(lucia):
    visitor = make.visitor()
    by_session = make.closed_conversation(visitor=visitor)
    by_email = make.closed_conversation(visitor_email="ana@example.com")
    foreign = make.closed_conversation(visitor_email="ben@example.com")
    make.active_conversation(lead=lucia, visitor=visitor, visitor_email="ana@example.com")
    desk = desk_of(lucia)

    statuses = [
        desk.get(reverse("desk:transcript", args=[one.pk])).status_code for one in (by_session, by_email, foreign)
    ]

    assert statuses == [200, 200, 404]


# Offers


@LANGUAGES
@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("verb", ["accept", "decline"])
@pytest.mark.parametrize("state", [OfferState.MISSED, OfferState.WITHDRAWN, OfferState.DECLINED, OfferState.ACCEPTED])
def test_an_offer_that_has_ended_can_be_neither_accepted_nor_declined(state, verb, headers, language):
    jonas = make.agent("Jonas", language=language)
    offer = make.offer(to=jonas, state=state)
    before = everything()

    response = desk_of(jonas).post(reverse(f"desk:{verb}-offer", args=[offer.pk]), headers=headers)

    expect(response, errors.OfferGone, language)
    assert everything() == before


@pytest.mark.parametrize("verb", ["accept", "decline"])
def test_an_offer_of_a_colleague_can_be_neither_accepted_nor_declined(lucia, verb):
    offer = make.offer(to=make.agent("Jonas"))
    before = everything()

    response = desk_of(lucia).post(reverse(f"desk:{verb}-offer", args=[offer.pk]))

    expect(response, errors.Gone)
    assert everything() == before


@pytest.mark.parametrize("verb", ["accept", "decline"])
def test_an_offer_whose_time_is_over_counts_as_gone_even_before_it_was_swept(lucia, verb):
    offer = make.offer(to=lucia, seconds=-1)
    before = everything()

    expect(desk_of(lucia).post(reverse(f"desk:{verb}-offer", args=[offer.pk])), errors.OfferGone)

    assert everything() == before


def test_a_queue_without_declining_refuses_it(lucia):
    offer = make.offer(to=lucia, conversation=make.waiting_conversation(queue=make.queue(may_decline=False)))
    before = everything()

    expect(desk_of(lucia).post(reverse("desk:decline-offer", args=[offer.pk])), errors.MustNotDecline)

    assert everything() == before


# Ends and closing reasons


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_second_end_is_refused(lucia, headers):
    conversation = make.wrap_up_conversation(lead=lucia)
    before = everything()

    expect(desk_of(lucia).post(reverse("desk:end", args=[conversation.pk]), headers=headers), errors.AlreadyEnded)

    assert everything() == before


@LANGUAGES
@pytest.mark.parametrize("made", [make.wrap_up_conversation, make.closed_conversation, make.abandoned_conversation])
@pytest.mark.parametrize(("address", "values"), [("end", {}), ("messages", {"text": "Hi", "key": KEY})])
def test_the_visitor_can_do_nothing_in_a_conversation_that_has_ended(made, address, values, language):
    conversation = made()
    visitor = visitor_of(conversation, headers={"Accept-Language": language})
    before = everything()

    response = visitor.post(f"/chat/current/{address}/", values)

    expect(response, errors.AlreadyEnded, language)
    assert everything() == before


def test_the_agent_cannot_write_after_the_end(lucia):
    conversation = make.wrap_up_conversation(lead=lucia)
    before = everything()

    response = desk_of(lucia).post(
        reverse("desk:post", args=[conversation.pk]), {"text": "Hi", "key": KEY}, headers=JSON
    )

    assert response.status_code == 409
    assert response.json()["frames"] == [
        {"is": "refused", "key": KEY, "sentence": sentence(errors.AlreadyEnded), "retry_after": None}
    ]
    assert everything() == before


def test_a_guest_cannot_end_for_the_lead(lucia):
    jonas = make.agent("Jonas")
    conversation = make.active_conversation(lead=lucia, guests=[jonas])
    before = everything()

    expect(desk_of(jonas).post(reverse("desk:end", args=[conversation.pk])), errors.NotLead)

    assert everything() == before


@LANGUAGES
@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("reason", ["", "foreign", "retired", "x", "-1", "0", "９", str(HUGE), "9" * 400, "1 OR 1=1"])
def test_a_closing_reason_that_is_none_of_the_queue_is_refused(reason, headers, language):
    jonas = make.agent("Jonas", language=language)
    conversation = make.wrap_up_conversation(lead=jonas)
    known = {
        "foreign": make.closing_reason(make.queue("Returns")).pk,
        "retired": make.closing_reason(conversation.queue, "Old", is_in_use=False).pk,
    }
    before = everything()

    response = desk_of(jonas).post(
        reverse("desk:closing", args=[conversation.pk]),
        {"reason": known.get(reason, reason), "note": "kept <note>"},
        headers=headers,
    )

    page = Page(response)
    words = sentence(errors.WrongReason if reason else errors.ReasonMissing, language)
    assert response.status_code == 422
    assert words in page.one("p", id=f"closing-reason-error-{conversation.pk}").text
    assert page.one("textarea", name="note").text == "kept <note>"
    assert bool(page.all("dialog")) == bool(headers)
    assert everything() == before


def test_a_closing_reason_before_the_end_is_refused(lucia):
    conversation = make.active_conversation(lead=lucia)
    reason = make.closing_reason(conversation.queue)
    before = everything()

    response = desk_of(lucia).post(reverse("desk:closing", args=[conversation.pk]), {"reason": reason.pk})

    expect(response, errors.NotEndedYet)
    assert everything() == before


def test_a_guest_cannot_give_the_closing_reason(lucia):
    jonas = make.agent("Jonas")
    conversation = make.wrap_up_conversation(lead=lucia)
    make.participant(conversation, jonas, role="guest")
    reason = make.closing_reason(conversation.queue)
    before = everything()

    response = desk_of(jonas).post(reverse("desk:closing", args=[conversation.pk]), {"reason": reason.pk})

    expect(response, errors.NotLead)
    assert everything() == before


# States


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize(
    "values",
    [{}, {"state": ""}, {"state": "rona"}, {"state": "offline"}, {"state": "AVAILABLE"}, {"state": "x" * 10_000},
     {"state": "idle", "reason": "x"}, {"state": "idle", "reason": "-1"}, {"state": "idle", "reason": "9" * 30},
     {"state": "idle", "reason": "999999"}, {"state": "idle", "reason": "９"}, {"state": "\x00"}],
)  # fmt: skip
def test_a_state_that_cannot_be_chosen_is_refused(lucia, values, headers):
    response = desk_of(lucia).post("/desk/state/", values, headers=headers)

    lucia.refresh_from_db()
    assert response.status_code == 422
    assert "menu" in Page(response).all("p")[0].text
    assert lucia.state == AgentState.AVAILABLE


def test_a_retired_idle_reason_is_refused(lucia):
    smoking = make.idle_reason("Smoking", is_in_use=False)

    response = desk_of(lucia).post("/desk/state/", {"state": "idle", "reason": smoking.pk})

    lucia.refresh_from_db()
    assert response.status_code == 422
    assert lucia.state == AgentState.AVAILABLE


def test_a_state_that_is_refused_leaves_an_agent_whom_the_system_lost_offline():
    jonas, smoking = make.agent("Jonas", state=AgentState.OFFLINE), make.idle_reason("Smoking", is_in_use=False)

    response = desk_of(jonas).post("/desk/state/", {"state": "idle", "reason": smoking.pk})

    jonas.refresh_from_db()
    assert response.status_code == 422
    assert (jonas.state, jonas.seen_at, jonas.state_changes.count()) == (AgentState.OFFLINE, None, 0)


# Shape of the answers


def test_htmx_gets_the_sentence_alone_for_the_notice_line(lucia):
    offer = make.offer(to=lucia, state=OfferState.MISSED)

    response = desk_of(lucia).post(reverse("desk:accept-offer", args=[offer.pk]), headers=HTMX)

    page = Page(response)
    assert not page.all("html")
    assert page.elements[0]["class"] == "notice error"
    assert (response["HX-Reswap"], response["Livedesk-Notice"]) == ("none", "1")


def test_a_plain_form_gets_a_page_with_a_way_back(lucia):
    offer = make.offer(to=lucia, state=OfferState.MISSED)

    page = Page(desk_of(lucia).post(reverse("desk:accept-offer", args=[offer.pk])))

    assert page.all("html")
    assert page.one(role="alert", class_="notice error").text == sentence(errors.OfferGone)
    assert page.all("a", href=reverse("desk:home"))


# Wrong methods and missing tokens

POSTS = [
    "/chat/current/messages/",
    "/desk/state/",
    "/desk/sign-out/",
    "/language/",
    "/desk/offers/1/accept/",
    "/desk/offers/1/decline/",
    "/desk/conversations/1/messages/",
    "/desk/conversations/1/end/",
]
GETS = [
    "/chat/",
    "/chat/current/",
    "/chat/current/poll/",
    "/chat/current/thread/",
    "/chat/current/earlier/",
    "/desk/",
    "/desk/poll/",
    "/desk/conversations/1/",
    "/desk/conversations/1/transcript/",
    "/desk/conversations/1/earlier/",
]
BOTH = ["/chat/orders/", "/chat/current/end/", "/desk/conversations/1/closing/"]


@pytest.mark.parametrize(
    ("method", "address"),
    [(method, address) for address in POSTS for method in ("get", "put", "delete")]
    + [(method, address) for address in GETS for method in ("post", "put", "delete")]
    + [(method, address) for address in BOTH for method in ("put", "delete", "patch")],
)
def test_a_wrong_method_is_not_allowed(lucia, method, address):
    assert getattr(desk_of(lucia), method)(address).status_code == 405


@LANGUAGES
@pytest.mark.parametrize(
    "address", [*POSTS, "/chat/orders/", "/chat/current/end/", "/desk/conversations/1/closing/", "/sign-in/"]
)
def test_a_form_without_its_token_changes_nothing_and_says_so(address, language):
    make.queue("Orders", members=[make.agent()])
    visitor = visitor_of(make.waiting_conversation(), enforce_csrf_checks=True)
    visitor.force_login(make.agent("Jonas", language=language))
    before = everything()

    response = visitor.post(address, {"text": "Hi", "key": KEY}, headers={"Accept-Language": language})

    with translation.override(language):
        words = translation.gettext(
            "This form is too old or did not come from our page, so nothing was changed. Reload the page and try again."
        )
    assert response.status_code == 403
    assert words in Page(response).text
    assert everything() == before


def test_htmx_without_the_token_gets_the_sentence_for_the_notice_line(lucia):
    client = Client(enforce_csrf_checks=True)
    client.force_login(lucia)

    response = client.post("/desk/state/", {"state": "idle"}, headers=HTMX)

    assert response.status_code == 403
    assert "nothing was changed" in Page(response).all("p")[0].text
    assert response["HX-Reswap"] == "none"
