"""The chat page without JavaScript: forms, and a frame that reloads itself."""

from playwright.sync_api import expect

from tests import make
from tests.browser import people


def test_a_visitor_without_javascript_starts_writes_reads_and_ends(transactional_db, person):
    orders = make.queue("Orders")
    make.closing_reason(orders, is_default=True)
    people.agent("Lucía Marín", orders)
    desk = people.become_available(people.sign_in(person(), "lucia"))
    visitor = person(java_script_enabled=False)
    visitor.goto("/chat/")
    visitor.get_by_role("link", name="Orders").click()
    visitor.get_by_label("Your name").fill("Ana Pereira")
    visitor.get_by_label("Email").fill("ana@")
    visitor.get_by_label("Your question").fill("Does it work without scripts?")
    visitor.get_by_role("button", name="Start chat").click()
    expect(visitor.get_by_label("Email")).to_have_attribute("aria-invalid", "true")
    visitor.get_by_label("Email").fill("ana@example.com")
    visitor.get_by_role("button", name="Start chat").click()
    visitor.wait_for_url("**/chat/current/")
    visitor.get_by_label("Message", exact=True).fill("I hope so")
    visitor.get_by_role("button", name="Send").click()
    people.accept(desk)
    people.write(people.reply_box(desk), "It does, Ana")

    frame = visitor.frame_locator("iframe")
    expect(frame.locator("li.message .bubble")).to_have_text(
        ["Does it work without scripts?", "I hope so", "It does, Ana"], timeout=20_000
    )
    visitor.get_by_role("button", name="End chat").click()
    expect(visitor.get_by_role("heading", name="End this chat?")).to_be_visible()
    visitor.get_by_role("button", name="End chat").click()
    expect(visitor.get_by_role("heading", name="This chat has ended")).to_be_visible()
    expect(people.closing_dialog(desk)).to_be_visible()
    visitor.get_by_role("button", name="New conversation").click()
    expect(visitor.get_by_label("Your question")).to_be_visible()
