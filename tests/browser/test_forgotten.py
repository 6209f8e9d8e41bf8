"""A desk stays open all day: what was left behind takes no room for ever."""

import json
import re

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

    def is_forgotten():
        page.request_gc()
        return page.evaluate("window.left.deref() === undefined")

    people.until(page, is_forgotten, "It is forgotten.")


def test_what_comes_late_of_a_conversation_that_was_left_is_no_fault(transactional_db, person):
    people.agent("Lucía Marín", make.queue("Orders"))
    page, sockets = person(), []
    page.route_web_socket(re.compile("/ws/desk/"), lambda socket: (socket.connect_to_server(), sockets.append(socket)))
    people.sign_in(page, "lucia")
    late = "".join(f'<div id="{part}-1" hx-swap-oob="true"></div>' for part in ("panel", "composer", "closing"))

    sockets[-1].send(json.dumps({"is": "fragments", "html": late}))
    sockets[-1].send(json.dumps({"is": "notice", "sentence": "That was all."}))

    expect(page.get_by_text("That was all.")).to_be_visible()  # what breaks on the page fails the test
