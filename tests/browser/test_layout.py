"""Nothing is cut off, shown twice or out of sight, wide and narrow."""

import pytest
from playwright.sync_api import expect

from agents.models import Agent
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
