"""Never miss a request: sound, title and notification, in one tab and in two; and the keys that answer it."""

import re

import pytest
from django.db import transaction
from playwright.sync_api import expect

from agents.models import Agent
from tests import make
from tests.browser import people

# Keeps what the page tells of itself, and what it shows outside itself.
WITNESS = """
window.heard = [];
for (const what of ["ring", "ring-stopped", "message-sound", "notification"]) {
  document.addEventListener(`livedesk:${what}`, ({ detail }) => window.heard.push({ what, ...detail }));
}
window.notifications = [];
window.Notification = class extends EventTarget {
  static permission = "granted";
  static requestPermission = async () => (Notification.permission = "granted");
  constructor(title, options) { super(); Object.assign(this, options, { title }); window.notifications.push(this); }
  close() { this.isClosed = true; }
};
"""
BEHIND = "document.hasFocus = () => false; window.dispatchEvent(new Event('blur'))"


@pytest.fixture
def orders(transactional_db):
    queue = make.queue("Orders", offer_timeout_seconds=120)
    make.closing_reason(queue, "Resolved", is_default=True)
    people.agent("Lucía Marín", queue, capacity=10)
    return queue


@pytest.fixture
def desk(orders, person):
    page = person()
    page.context.add_init_script(WITNESS)
    return people.become_available(people.sign_in(page, "lucia"))


def heard(page, what):
    return page.evaluate("(what) => window.heard.filter((one) => one.what === what).length", what)


def wait_for(page, what):
    page.wait_for_function("(what) => window.heard.some((one) => one.what === what)", arg=what)


def test_a_request_rings_until_it_is_answered(desk, person):
    people.start_chat(person())

    wait_for(desk, "ring")
    expect(desk).to_have_title("(1) Livedesk")
    people.accept(desk)

    wait_for(desk, "ring-stopped")
    expect(desk).to_have_title("Ana Pereira · Livedesk")
    assert desk.evaluate("window.notifications.length") == 0


def test_the_last_second_of_a_request_is_said_as_one(desk, person):
    people.start_chat(person())
    ring = people.requests(desk).locator(".ring")
    expect(ring).to_have_accessible_name(re.compile("seconds left$"))

    said = ring.evaluate("""(ring) => {
      ring.dataset.until = new Date(Date.now() + 400).toISOString();
      window.dispatchEvent(new Event("focus"));
      return ring.getAttribute("aria-label");
    }""")

    assert said == "1 second left"


def test_behind_another_window_the_system_tells_and_a_click_brings_the_request(desk, person):
    desk.evaluate(BEHIND)
    people.start_chat(person())

    wait_for(desk, "notification")
    assert desk.evaluate("window.notifications[0].title") == "New request from Ana Pereira, Orders"
    desk.evaluate("window.notifications[0].dispatchEvent(new Event('click'))")
    expect(people.requests(desk).get_by_role("button", name="Accept")).to_be_focused()


def ringing_and_silent(desk, person):
    """Two desks of one agent while a request rings: the one that rings, and the other."""
    second = desk.context.new_page()
    second.goto("/desk/")
    expect(second.locator("#connection-chip")).to_have_attribute("data-status", "connected")
    second.mouse.click(700, 20)
    people.start_chat(person())
    for page in (desk, second):
        expect(people.requests(page).get_by_role("article")).to_be_visible()
        page.wait_for_function("() => document.title.startsWith('(1)')")
    people.until(desk, lambda: heard(desk, "ring") or heard(second, "ring"), "One of the two rings.")
    return (second, desk) if heard(second, "ring") else (desk, second)


@pytest.mark.parametrize("answered_in", ["ringing", "silent"])
def test_two_tabs_ring_once_and_stop_together(desk, person, answered_in):
    ringing, silent = ringing_and_silent(desk, person)

    people.accept(ringing if answered_in == "ringing" else silent)

    for page in (ringing, silent):
        wait_for(page, "ring-stopped")
    assert heard(silent, "ring") == 0


def test_the_silent_tab_rings_on_when_the_ringing_one_is_closed(desk, person):
    ringing, silent = ringing_and_silent(desk, person)

    ringing.close()

    wait_for(silent, "ring")


def test_a_message_elsewhere_is_counted_and_heard(desk, person):
    visitor = people.start_chat(person())
    people.accept(desk)
    people.start_chat(person(), name="Dewi Nugroho")
    people.accept(desk, "Dewi Nugroho")

    people.write(people.message_box(visitor), "Are you there?")

    wait_for(desk, "message-sound")
    expect(desk).to_have_title("(1) Dewi Nugroho · Livedesk")
    desk.keyboard.press("Alt+k")
    expect(people.reply_box(desk)).to_be_visible()
    expect(desk).to_have_title("Ana Pereira · Livedesk")


def test_sounds_are_chosen_tried_and_kept(desk):
    people.choose_state(desk, "Sounds")
    dialog = desk.get_by_role("dialog", name="Sounds")
    dialog.get_by_text("Pulse", exact=True).click()
    dialog.get_by_label("Volume").fill("35")
    dialog.get_by_role("button", name="Test sound").click()
    dialog.get_by_role("button", name="Save").click()

    expect(dialog).to_be_hidden()
    lucia = Agent.objects.get(username="lucia")
    assert (lucia.request_sound, lucia.sound_volume, lucia.has_message_sound) == ("pulse", 35, True)


def test_permission_is_asked_once_and_politely(orders, person):
    page = person()
    page.context.add_init_script(WITNESS + "Notification.permission = 'default';")
    people.sign_in(page, "lucia")
    line = page.get_by_role("region", name="Notifications")

    line.get_by_role("button", name="Not now").click()
    expect(line).to_be_hidden()
    page.reload()

    expect(page.locator("#connection-chip")).to_have_attribute("data-status", "connected")
    expect(line).to_be_hidden()


def test_more_than_five_requests_are_accepted_at_once(desk, orders):
    lucia = Agent.objects.get(username="lucia")
    with transaction.atomic():  # or the router offers one before this does
        for number in range(6):
            make.offer(to=lucia, conversation=make.waiting_conversation(queue=orders, visitor_name=f"Ana {number}"))

    expect(people.requests(desk).get_by_text("1–5 of 6")).to_be_visible(timeout=20_000)
    people.requests(desk).get_by_role("button", name="Accept 6 requests").click()

    expect(desk.get_by_text("6 of 10 conversations")).to_be_visible()
    expect(people.requests(desk).get_by_role("article")).to_have_count(0)


def test_keys_answer_and_steer_and_never_fire_while_one_types(desk, person):
    people.start_chat(person())
    expect(people.requests(desk).get_by_role("article")).to_be_visible()
    desk.keyboard.press("a")
    reply = people.reply_box(desk)
    expect(reply).to_be_focused()

    reply.press_sequentially("take care? jketcnb")
    expect(reply).to_have_value("take care? jketcnb")
    expect(desk.get_by_role("dialog")).to_have_count(0)
    reply.press("Alt+t")
    dialog = desk.get_by_role("dialog", name="Transfer request")
    expect(dialog).to_be_visible()
    desk.keyboard.press("c")
    desk.keyboard.press("Escape")
    desk.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    people.choose_state(desk, "Keyboard shortcuts")
    sheet = desk.get_by_role("dialog", name="Keyboard shortcuts")
    sheet.get_by_label("Single keys").uncheck()
    sheet.get_by_role("button", name="Close").click()
    desk.keyboard.press("?")
    expect(sheet).to_be_hidden()
    people.state_button(desk, "Available").focus()
    desk.keyboard.press("Alt+r")
    expect(reply).to_be_focused()
