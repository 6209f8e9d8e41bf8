"""Nothing is cut off, shown twice or out of sight, wide and narrow."""

import pytest
from playwright.sync_api import expect

from agents.models import Agent
from agents.states import AgentState
from conversations.states import OfferKind, OfferState
from tests import make
from tests.browser import people

PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1440, "height": 900}
# Fields and words of a form that reach beyond the box which cuts them off.
CUT_OFF = """() => {
  const edge = (one) => one.getBoundingClientRect().right;
  const all = [...document.querySelectorAll("fieldset.aligned :is(input, select, textarea, .help)")];
  const cut = all.filter((one) => one.offsetWidth && edge(one) > edge(one.closest("fieldset")));
  return cut.map((one) => one.id || one.textContent);
}"""

# What of the notice about a missed request lies outside it, or under what stands below.
NOTICE_CUT_OFF = """() => {
  const box = (one) => one.getBoundingClientRect();
  const notice = document.getElementById("rona-notice");
  const [top, bottom] = [box(notice).top, box(notice).bottom];
  const cut = [...notice.children].filter((one) => box(one).top < top || box(one).bottom > bottom);
  const below = [...document.querySelectorAll(".tasks, .conversation")].filter((one) => box(one).top < bottom);
  const wide = [...notice.children].filter((one) => box(one).right > innerWidth || one.scrollWidth > one.clientWidth);
  return [...cut, ...below, ...wide].map((one) => one.outerHTML.slice(0, 80));
}"""
# What of a request's head reaches beyond the request.
HEAD_CUT_OFF = """() => {
  const edge = (one) => one.getBoundingClientRect().right;
  const offer = document.querySelector(".offer");
  return [...offer.querySelectorAll("header *")].filter((one) => edge(one) > edge(offer)).map((one) => one.className);
}"""
LONG_QUEUE = "Reklamationen-und-Rücksendungen-Großkunden-Deutschland-Süd"

# Read at one moment: the panel is drawn anew when the page connects.
BUTTON_BESIDE_NAME = """() => {
  const box = (one) => one.getBoundingClientRect();
  const button = [...document.querySelectorAll(".panel button")].find((one) => one.textContent.trim() === "Transfer");
  return box(button).top < box(document.querySelector(".panel h1")).bottom;
}"""


@pytest.fixture
def orders(transactional_db):
    queue = make.queue("Orders", offer_timeout_seconds=60)
    make.closing_reason(queue, "Resolved", is_default=True)
    people.agent("Lucía Marín", queue)
    return queue


def test_a_long_name_is_cut_before_the_buttons_lose_their_line(orders, person):
    page = people.sign_in(person(viewport=WIDE), "lucia")
    lucia = Agent.objects.get(username="lucia")
    talk = make.active_conversation(lead=lucia, queue=orders, visitor_name="Maximiliane von und zu " + "Hohenfels-" * 6)

    page.goto(f"/desk/conversations/{talk.pk}/")

    expect(page.get_by_role("button", name="Transfer", exact=True)).to_be_visible()
    assert page.evaluate(BUTTON_BESIDE_NAME)


def test_on_a_phone_a_request_stands_once_on_the_page(orders, person):
    page = people.become_available(people.sign_in(person(viewport=PHONE), "lucia"))
    empty = page.get_by_role("heading", name="No conversation is open")
    expect(empty).to_be_visible()

    people.start_chat(person())

    expect(page.get_by_role("button", name="Accept")).to_have_count(1)
    expect(empty).to_be_hidden()


def test_a_request_with_hours_to_answer_shows_minutes_in_its_ring(orders, person):
    orders.offer_timeout_seconds = 6000
    orders.save()
    page = people.become_available(people.sign_in(person(), "lucia"))

    people.start_chat(person())

    expect(people.requests(page).locator("[data-seconds]")).to_have_text("100′")


@pytest.mark.parametrize("address", ["agents/agent/add", "queues/queue/add", "conversations/replytemplate/import"])
def test_on_a_phone_no_form_of_admin_is_cut_off(transactional_db, person, address):
    make.supervisor("Vera", password=people.PASSWORD)
    page = person(viewport=PHONE)
    page.goto("/admin/")
    page.get_by_label("Username").fill("vera")
    page.get_by_label("Password").fill(people.PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Supervision")).to_be_visible()

    page.goto(f"/admin/{address}/")

    assert page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize("viewport", [PHONE, WIDE], ids=["phone", "wide"])
def test_a_queue_with_a_long_name_does_not_break_its_request(orders, person, viewport):
    page = people.become_available(people.sign_in(person(viewport=viewport), "lucia"))
    lucia, jonas = Agent.objects.get(username="lucia"), make.agent("Jonas Brandt")
    talk = make.active_conversation(lead=jonas, queue=make.queue(LONG_QUEUE))
    make.offer(to=lucia, conversation=talk, kind=OfferKind.TRANSFER, made_by=jonas)
    page.reload()
    expect(people.requests(page).get_by_role("button", name="Accept")).to_be_visible()

    assert page.evaluate(HEAD_CUT_OFF) == []


@pytest.mark.parametrize("visitor", ["Ana Pereira", "Hohenfels-" * 8], ids=["short", "long"])
@pytest.mark.parametrize("width", [390, 660, 1000, 1440])
def test_the_notice_about_a_missed_request_has_room_for_all_it_says(orders, person, width, visitor):
    page = people.sign_in(person(viewport={"width": width, "height": 844}), "lucia")
    jonas = make.agent("Maximiliane Hohenfels-Bartholomäus")
    talk = make.active_conversation(lead=jonas, queue=orders, visitor_name=visitor)
    Agent.objects.filter(username="lucia").update(state=AgentState.RONA, language="es")
    lucia = Agent.objects.get(username="lucia")
    make.offer(to=lucia, conversation=talk, kind=OfferKind.TRANSFER, made_by=jonas, state=OfferState.MISSED)

    page.goto("/desk/")

    expect(page.locator("#become-available")).to_be_in_viewport()
    assert page.evaluate(NOTICE_CUT_OFF) == []


def test_on_a_small_tablet_every_button_of_the_panel_is_in_sight(orders, person):
    page = people.sign_in(person(viewport={"width": 660, "height": 844}), "lucia")
    Agent.objects.filter(username="lucia").update(language="es")
    talk = make.active_conversation(lead=Agent.objects.get(username="lucia"), queue=orders)

    page.goto(f"/desk/conversations/{talk.pk}/")

    expect(page.locator(".panel .controls").get_by_role("button").last).to_be_in_viewport(ratio=1)
