"""What people do at the pages, by the names of the controls."""

import re
import time

from playwright.sync_api import expect

from agents.states import AgentState
from tests import make

PASSWORD = "correct horse battery"
# Whatever the other side has seen of it meanwhile: the server has it.
SENT = re.compile("^(Sent|Delivered|Read)$")
SENDING = "Sending…"
LATE_SECONDS = 20


def until(page, is_true, what):
    """Wait for what no element shows; `what` says it in a sentence, for when it does not come."""
    end = time.monotonic() + LATE_SECONDS
    while not is_true():
        assert time.monotonic() < end, f"In vain: {what}"
        page.wait_for_timeout(20)  # lets routes and events be called


def agent(name, *queues, **fields):
    """An agent who is not signed in yet, with the password of these tests."""
    return make.agent(name, queues=queues, state=AgentState.OFFLINE, password=PASSWORD, **fields)


def sign_in(page, username, password=PASSWORD):
    """Come to the desk."""
    page.goto("/sign-in/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/desk/")
    # Hidden on a phone, so not by its word.
    expect(page.locator("#connection-chip")).to_have_attribute("data-status", "connected")
    return page


def state_button(page, state):
    return page.get_by_role("button", name=re.compile(f"^{state}"))


def choose_state(page, item="Available"):
    """Choose a line of the state menu."""
    page.locator("#state-button").click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def become_available(page):
    choose_state(page)
    expect(state_button(page, "Available")).to_be_visible()
    return page


def start_chat(page, name="Ana Pereira", question="Where is my order?", queue="orders", email=""):
    """Fill in the form of the chat page."""
    page.goto(f"/chat/{queue}/")
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Start chat").click()
    page.wait_for_url("**/chat/current/")
    return page


def requests(page):
    return page.get_by_role("region", name="Requests")


def press_accept(page, name="Ana Pereira"):
    """Accept the request of that customer; the conversation opens."""
    requests(page).get_by_role("article", name=name).get_by_role("button", name="Accept").click()
    expect(reply_box(page, name)).to_be_visible()


def accept(page, name="Ana Pereira"):
    """Accept the request, and see it settle: the row comes by socket, and the customer once it knows what is open."""
    press_accept(page, name)
    expect(page.locator("#tasks a.task").filter(has_text=name)).to_have_count(1)
    expect(page.locator("#customer")).to_contain_text(name)
    return page


def reply_box(page, name="Ana Pereira"):
    return page.get_by_role("textbox", name=f"Reply to {name}")


def message_box(page):
    return page.get_by_role("textbox", name="Message", exact=True)


def write(box, *texts):
    """Send each text with Enter."""
    for text in texts:
        box.fill(text)
        box.press("Enter")


def bubble(page, text):
    """The message with that text, in the thread."""
    return page.get_by_role("log").locator("li.message").filter(has_text=text)


def expect_state(page, text, state):
    """The message with that text says how far it is."""
    expect(bubble(page, text).locator(".state")).to_have_text(state)


def expect_thread(page, *texts):
    """The thread holds these messages, each once, in this order, and nothing is on its way."""
    expect(page.get_by_role("log").locator("li.message .bubble")).to_have_text(list(texts), timeout=30_000)
    expect(page.get_by_text("Sending…", exact=True)).to_have_count(0, timeout=30_000)
    expect(page.get_by_text("Not sent", exact=True)).to_have_count(0)


def closing_dialog(page):
    return page.get_by_role("dialog", name="Closing reasons")


def finish(page, reason="Resolved"):
    """Choose the closing reason in the dialog by searching for it, and submit it."""
    dialog = closing_dialog(page)
    dialog.get_by_role("combobox").fill(reason[:4])
    dialog.get_by_role("option", name=reason).click()
    dialog.get_by_role("button", name="Submit").click()
    expect(dialog).to_be_hidden()


def end(page):
    page.get_by_role("button", name="End", exact=True).click()
    expect(closing_dialog(page)).to_be_visible()


def end_chat(page):
    """The visitor ends it and says so again when asked."""
    page.get_by_role("button", name="End chat").click()
    page.get_by_role("dialog").get_by_role("button", name="End chat").click()
    expect(page.get_by_role("button", name="New conversation")).to_be_visible()
