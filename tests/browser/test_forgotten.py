"""A desk stays open all day: what was left behind takes no room for ever."""

from playwright.sync_api import expect

from agents.models import Agent
from tests import make
from tests.browser import people

NAMES = ("Ana", "Mei", "Jonas", "Sofía")


def test_a_conversation_that_was_left_is_forgotten(transactional_db, person):
    orders = make.queue("Orders")
    people.agent("Lucía Marín", orders)
    page = people.sign_in(person(), "lucia")
    lucia = Agent.objects.get(username="lucia")
    talks = {name: make.active_conversation(lead=lucia, queue=orders, visitor_name=name) for name in NAMES}
    brought = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: brought.append(str(frame))))
    page.reload()
    for name, talk in talks.items():
        page.get_by_role("region", name="Tasks").get_by_role("link", name=name).click()
        expect(people.reply_box(page, name)).to_be_visible()
        panel = f"panel-{talk.pk}"
        people.until(page, lambda panel=panel: panel in "".join(brought), "The socket brings the conversation.")
        if name == NAMES[0]:
            page.evaluate("() => { window.left = new WeakRef(document.getElementById('conversation')); }")

    page.request_gc()

    assert page.evaluate("window.left.deref() === undefined")
