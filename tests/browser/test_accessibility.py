"""axe-core finds no serious fault on any page, light and dark, on a desk's screen and on a phone's."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from conversations.models import Conversation
from tests import make
from tests.browser import people

SCREENS = ({"width": 1440, "height": 900}, {"width": 390, "height": 844})
SCHEMES = ("light", "dark")
# axe-core is put into the page, which the policy of the portal forbids; colours on their way would be judged.
LOOKED_AT = {"bypass_csp": True, "reduced_motion": "reduce", "viewport": SCREENS[0]}


@pytest.fixture
def orders(transactional_db):
    queue = make.queue(
        "Orders", greeting="Ask us about your order.", message_when_closed="We are closed.", offer_timeout_seconds=600
    )
    for label in ("Resolved", "Order changed"):
        make.closing_reason(queue, label, is_default=label == "Resolved")
    make.closed_queue("Night")
    make.idle_reason("Lunch")
    people.agent("Lucía Marín", queue)
    return queue


# The ring around a link with the focus, beside the colours of the bubble that it lies in.
RING = """(link) => {
  link.focus();
  const [ring, bubble] = [getComputedStyle(link), getComputedStyle(link.closest(".bubble"))];
  return [ring.outlineStyle, ring.outlineColor === bubble.color, bubble.color !== bubble.backgroundColor];
}"""
SETTLED = "() => document.getAnimations().every((one) => one.playState !== 'running')"


def expect_no_fault(page, where):
    """Look at the page on each screen in each scheme."""
    found = []
    for screen in SCREENS:
        page.set_viewport_size(screen)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.wait_for_function(SETTLED)  # a colour on its way is neither scheme's
            found += [f"{where}, {scheme}, {screen['width']}: {fault}" for fault in faults(page)]
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > screen["width"]:
            found.append(f"{where} is {width} wide on a screen of {screen['width']}")
    page.set_viewport_size(SCREENS[0])
    assert found == []


def faults(page):
    for fault in Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]:
        if fault["impact"] in ("serious", "critical"):
            first = fault["nodes"][0]
            yield f"{fault['id']} at {first['target']}: {first['failureSummary']}"


def test_the_chat_page_has_no_serious_fault(orders, person):
    page = person(**LOOKED_AT)
    page.goto("/chat/")
    expect_no_fault(page, "the queues")
    page.goto("/chat/night/")
    expect_no_fault(page, "a closed queue")
    page.goto("/chat/orders/")
    expect_no_fault(page, "a queue with nobody there")
    desk = people.become_available(people.sign_in(person(), "lucia"))
    page.goto("/chat/orders/")
    page.get_by_role("button", name="Start chat").click()
    expect(page.get_by_label("Your name")).to_have_attribute("aria-invalid", "true")
    expect_no_fault(page, "the start with errors")
    people.start_chat(page)
    expect_no_fault(page, "waiting")
    people.accept(desk)
    people.write(people.reply_box(desk), "See https://example.com/orders/48213")
    expect(people.bubble(page, "See https://")).to_be_visible()
    people.write(people.message_box(page), "Thank you")
    people.expect_state(page, "Thank you", people.SENT)
    expect_no_fault(page, "the talk")
    page.get_by_role("button", name="End chat").click()
    expect_no_fault(page, "the question before the end")
    page.get_by_role("dialog").get_by_role("button", name="End chat").click()
    expect(page.get_by_role("button", name="New conversation")).to_be_visible()
    expect_no_fault(page, "the end")


def test_the_desk_has_no_serious_fault(orders, person):
    page = person(**LOOKED_AT)
    page.goto("/sign-in/")
    expect_no_fault(page, "signing in")
    people.sign_in(page, "lucia")
    expect_no_fault(page, "the empty desk")
    people.become_available(page)
    page.locator("#state-button").click()
    expect(page.get_by_role("menuitem", name="Idle: Lunch")).to_be_visible()
    expect_no_fault(page, "the state menu")
    page.get_by_role("menuitem", name="Change password").click()
    expect_no_fault(page, "the new password")
    page.get_by_label("Old password").fill("wrong")
    page.get_by_label("New password", exact=True).fill("short")
    page.get_by_label("New password confirmation").fill("short")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_label("Old password")).to_have_attribute("aria-invalid", "true")
    expect_no_fault(page, "the new password with errors")
    page.get_by_role("link", name="Back to the desk").click()
    visitor = people.start_chat(person(), email="ana@example.com")
    expect(people.requests(page).get_by_role("button", name="Accept")).to_be_visible()
    expect_no_fault(page, "a request")
    people.accept(page)
    people.write(people.reply_box(page), "See https://example.com/orders/48213")
    people.write(people.message_box(visitor), "Thank you")
    expect(people.bubble(page, "Thank you")).to_be_visible()
    expect_no_fault(page, "the conversation")
    people.end(page)
    page.get_by_role("button", name="Submit").click()
    expect(people.closing_dialog(page).get_by_role("combobox")).to_have_attribute("aria-invalid", "true")
    expect_no_fault(page, "the closing dialog")


def test_a_missed_request_has_no_serious_fault(orders, person):
    page = people.become_available(people.sign_in(person(**LOOKED_AT), "lucia"))
    orders.offer_timeout_seconds = 5
    orders.save()
    people.start_chat(person())
    expect(page.get_by_role("button", name="Become available")).to_be_visible(timeout=15_000)
    expect_no_fault(page, "RONA")


def test_admin_has_no_serious_fault(orders, person):
    make.supervisor("Vera", password=people.PASSWORD)
    lucia = make.agent("Jonas", queues=[orders])
    make.closed_conversation(lead=lucia, queue=orders)
    make.waiting_conversation(queue=orders)
    conversation = Conversation.objects.order_by("pk").first()
    page = person(**LOOKED_AT)
    page.goto("/admin/")
    page.get_by_label("Username").fill("vera")
    page.get_by_label("Password").fill(people.PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Supervision")).to_be_visible()
    for where in (
        "/admin/",
        "/admin/queues/queue/",
        f"/admin/queues/queue/{orders.pk}/change/",
        "/admin/agents/agent/",
        f"/admin/agents/agent/{lucia.pk}/change/",
        "/admin/conversations/conversation/",
        f"/admin/conversations/conversation/{conversation.pk}/change/",
    ):
        page.goto(where)
        expect_no_fault(page, where)


def test_the_focus_is_seen_on_a_link_in_ones_own_bubble(orders, person):
    desk = people.become_available(people.sign_in(person(**LOOKED_AT), "lucia"))
    visitor = people.start_chat(person(**LOOKED_AT), question="See https://example.com/mine")
    people.accept(desk)
    people.write(people.reply_box(desk), "See https://example.com/ours")
    vera = make.supervisor("Vera", password=people.PASSWORD)
    admin = person(**LOOKED_AT)
    admin.goto("/admin/")
    admin.get_by_label("Username").fill(vera.username)
    admin.get_by_label("Password").fill(people.PASSWORD)
    admin.keyboard.press("Enter")
    expect(admin.get_by_role("heading", name="Supervision")).to_be_visible()
    admin.goto(f"/admin/conversations/conversation/{Conversation.objects.get().pk}/change/")

    for page, name in ((desk, "ours"), (visitor, "mine"), (admin, "ours")):
        link = page.locator(".thread .bubble").get_by_role("link", name=name)
        page.keyboard.press("Tab")
        assert link.evaluate(RING) == ["solid", True, True]
