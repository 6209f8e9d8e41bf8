"""The desk's dialogs and a full desk, as axe-core sees them, light and dark, wide and narrow."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from agents.models import Agent
from agents.states import AgentState
from tests import make
from tests.browser import colleagues, people

NAMES = ("Ana Pereira", "Maximiliane von und zu Hohenfels-Bartholomäus", "שרה כהן", "محمد عبد الرحمن")

# Whether the list of reasons that was left still looks at its field, while the one that stands there does.
STILL_LOOKS = """async () => {
  const timer = (box) => box._component.$pollInput;
  const here = document.querySelector(".autocomplete__wrapper");
  if (!timer(here)) throw new Error("The vendored script keeps its timer elsewhere.");
  const before = timer(window.left);
  for (let looks = 0, last = timer(here); looks < 3; ) {
    await new Promise(requestAnimationFrame);
    if (timer(here) !== last) looks += 1;
    last = timer(here);
  }
  return timer(window.left) !== before;
}"""


def violations(page):
    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


@pytest.fixture
def orders(transactional_db):
    queue = make.queue("Orders")
    people.agent("Lucía Marín", queue, capacity=20)
    make.agent("Jonas Brandt", queues=[make.queue("Logistics")])  # the router must not offer him these
    make.agent("Amadou Diallo", state=AgentState.IDLE, idle_reason=make.idle_reason("Lunch"))
    make.closed_queue("Night")
    return queue


def talks_of(agent, queue):
    """Twenty conversations of the agent, who sits at a desk by now; answers the first."""
    return [make.active_conversation(lead=agent, queue=queue, visitor_name=NAMES[n % 4]) for n in range(20)][0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["wide", "narrow"])
def test_every_dialog_of_the_desk_is_accessible(orders, person, scheme, size):
    viewport = {"width": size[0], "height": size[1]}
    # axe brings styles of its own, which the page's policy refuses.
    page = people.sign_in(person(viewport=viewport, color_scheme=scheme, bypass_csp=True), "lucia")
    talk = talks_of(Agent.objects.get(username="lucia"), orders)
    page.goto(f"/desk/conversations/{talk.pk}/")
    expect(page.get_by_role("button", name="Transfer", exact=True)).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]

    dialog = colleagues.transfer_dialog(page)
    assert violations(page) == []
    dialog.get_by_text("Queue", exact=True).click()
    assert violations(page) == []
    dialog.get_by_role("button", name="Cancel").click()
    dialog = colleagues.conference_dialog(page)
    assert violations(page) == []
    dialog.get_by_role("button", name="Cancel").click()
    for name in ("Sounds", "Keyboard shortcuts"):
        people.choose_state(page, name)
        dialog = page.get_by_role("dialog", name=name)
        expect(dialog).to_be_visible()
        assert violations(page) == []
        dialog.get_by_role("button", name="Close").click()
        expect(dialog).to_be_hidden()


@pytest.fixture
def two_to_close(orders, person):
    """A desk with two conversations in wrap-up; the first is open."""
    page = people.sign_in(person(), "lucia")
    lucia = Agent.objects.get(username="lucia")
    first, _ = (make.wrap_up_conversation(lead=lucia, queue=orders, visitor_name=name) for name in ("Ana", "Mei"))
    page.goto(f"/desk/conversations/{first.pk}/")
    expect(people.closing_dialog(page)).to_be_visible()
    page.keyboard.press("Escape")
    return page


def open_the_other(page):
    page.get_by_role("region", name="Tasks").get_by_role("link", name="Mei").click()
    expect(people.closing_dialog(page)).to_be_visible()


def test_a_list_of_reasons_that_was_left_looks_at_its_field_no_more(two_to_close):
    page = two_to_close
    page.evaluate("() => { window.left = document.querySelector('.autocomplete__wrapper'); }")

    open_the_other(page)

    assert page.evaluate(STILL_LOOKS) is False
