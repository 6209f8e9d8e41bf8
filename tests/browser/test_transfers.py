"""Transfers on the desk: asked, accepted, declined, missed, taken back, and put in line."""

import re

import pytest
from playwright.sync_api import expect

from tests import make
from tests.browser import people


@pytest.fixture
def orders(transactional_db):
    queue = make.queue("Orders", offer_timeout_seconds=60)
    make.closing_reason(queue, "Resolved", is_default=True)
    people.agent("Lucía Marín", queue)
    people.agent("Jonas Brandt", make.queue("Logistics"))
    return queue


@pytest.fixture
def lucia(orders, person):
    return people.become_available(people.sign_in(person(), "lucia"))


@pytest.fixture
def jonas(lucia, person):
    return people.become_available(people.sign_in(person(), "jonas"))


@pytest.fixture
def visitor(lucia, person):
    """Ana, served by Lucía."""
    page = people.start_chat(person())
    people.accept(lucia)
    return page


def ask(page, colleague="Jonas Brandt", note=""):
    dialog = people.transfer_dialog(page)
    dialog.get_by_role("radio", name=re.compile(colleague)).check()
    dialog.get_by_label("Note for the next agent (optional)").fill(note)
    dialog.get_by_role("button", name="Transfer").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("Transfer requested")).to_be_visible()


def test_a_transfer_that_is_accepted(lucia, jonas, visitor):
    ask(lucia, note="She moved to Porto.")

    request = people.requests(jonas).get_by_role("article", name="Ana Pereira")
    expect(request).to_contain_text("Transfer · Orders")
    expect(request).to_contain_text("Lucía Marín")
    expect(request).to_contain_text("She moved to Porto.")
    people.accept(jonas)

    expect(lucia.get_by_text("Jonas Brandt has taken over the conversation with Ana Pereira.")).to_be_visible()
    expect(lucia.get_by_role("heading", name="No conversation is open")).to_be_visible()
    expect(visitor.get_by_role("heading", name="Jonas Brandt")).to_be_visible()
    expect(visitor.get_by_role("log")).to_contain_text("Jonas Brandt has taken over")
    expect(visitor.get_by_text("She moved to Porto.")).to_have_count(0)
    expect(jonas.get_by_role("log")).to_contain_text("She moved to Porto.")
    people.write(people.reply_box(jonas), "Which address?")
    expect(visitor.get_by_role("log")).to_contain_text("Which address?")
