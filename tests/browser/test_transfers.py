"""Transfers on the desk: asked, accepted, declined, missed, taken back, and put in line."""

import re

import pytest
from playwright.sync_api import expect

from agents.models import Agent
from queues.models import Queue
from tests import make
from tests.browser import colleagues, people


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


def test_a_transfer_that_is_accepted(lucia, jonas, visitor):
    colleagues.ask_to_take_over(lucia, "Jonas Brandt", note="She moved to Porto.")

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


def test_a_transfer_that_is_declined(lucia, jonas, visitor):
    colleagues.ask_to_take_over(lucia, "Jonas Brandt")

    people.requests(jonas).get_by_role("button", name="Decline").click()

    notice = lucia.get_by_role("alert").filter(has_text="Ana Pereira: Jonas Brandt")
    expect(notice).to_be_visible()
    expect(lucia.get_by_text("Transfer requested")).to_have_count(0)
    expect(lucia.get_by_role("button", name="Transfer", exact=True)).to_be_enabled()
    people.write(people.reply_box(lucia), "I am still here.")
    expect(visitor.get_by_role("log")).to_contain_text("I am still here.")


def test_a_transfer_that_is_missed(lucia, jonas, visitor):
    Queue.objects.update(offer_timeout_seconds=10)
    colleagues.ask_to_take_over(lucia, "Jonas Brandt")

    expect(people.state_button(jonas, "RONA")).to_be_visible(timeout=30_000)
    expect(jonas.get_by_text("You did not answer the transfer request of Lucía Marín")).to_be_visible()
    expect(lucia.get_by_role("alert").filter(has_text="Ana Pereira: Jonas Brandt")).to_be_visible()
    expect(people.reply_box(lucia)).to_be_visible()

    jonas.get_by_role("button", name="Become available").click()
    expect(people.state_button(jonas, "Available")).to_be_visible()


def test_a_transfer_that_is_taken_back_in_two_tabs(lucia, jonas, visitor, orders):
    second = lucia.context.new_page()
    second.goto(lucia.url)
    colleagues.ask_to_take_over(lucia, "Jonas Brandt")
    expect(people.requests(jonas).get_by_role("article", name="Ana Pereira")).to_be_visible()
    expect(second.get_by_text("Transfer requested")).to_be_visible()

    second.get_by_role("button", name="Cancel transfer").click()

    for page in (lucia, second):
        expect(page.get_by_text("Transfer requested")).to_have_count(0)
        expect(people.reply_box(page)).to_be_visible()
    expect(people.requests(jonas).get_by_role("article")).to_have_count(0)


def test_a_transfer_to_a_queue(lucia, jonas, visitor):
    dialog = colleagues.transfer_dialog(lucia)
    dialog.get_by_text("Queue", exact=True).click()
    dialog.get_by_role("searchbox", name="Search queues").fill("logi")
    expect(dialog.get_by_role("radio", name=re.compile("Orders"))).to_have_count(0)
    dialog.get_by_role("radio", name=re.compile("Logistics")).check()
    dialog.get_by_role("button", name="Transfer", exact=True).click()

    expect(lucia.get_by_text("The conversation with Ana Pereira waits in Logistics now.")).to_be_visible()
    people.accept(jonas)
    expect(visitor.get_by_role("heading", name="Jonas Brandt")).to_be_visible()


def test_what_is_refused_is_said_in_the_dialog_and_a_refresh_keeps_what_is_filled_in(lucia, jonas, visitor):
    dialog = colleagues.transfer_dialog(lucia)
    dialog.get_by_role("button", name="Transfer", exact=True).click()
    expect(dialog.get_by_text("Choose a colleague first.")).to_be_visible()

    dialog.get_by_role("radio", name=re.compile("Jonas")).check()
    dialog.get_by_label("Note for the next agent (optional)").fill("She moved.")
    make.agent("Sofía Ruiz")
    dialog.get_by_role("button", name="Refresh the list").click()
    expect(dialog.get_by_role("radio", name=re.compile("Sofía"))).to_be_visible()
    expect(dialog.get_by_role("radio", name=re.compile("Jonas"))).to_be_checked()
    expect(dialog.get_by_label("Note for the next agent (optional)")).to_have_value("She moved.")

    Agent.objects.filter(username="jonas").update(capacity=0)
    dialog.get_by_role("button", name="Transfer", exact=True).click()
    expect(dialog.get_by_text("This agent has no free place at the moment.")).to_be_visible()
    lucia.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(lucia.get_by_text("This agent has no free place at the moment.")).to_have_count(0)


def test_what_was_refused_goes_when_the_agent_chooses(lucia, jonas, visitor):
    dialog = colleagues.transfer_dialog(lucia)
    dialog.get_by_role("button", name="Transfer", exact=True).click()
    refusal = dialog.get_by_text("Choose a colleague first.")
    expect(refusal).to_be_visible()

    dialog.get_by_role("radio", name=re.compile("Jonas Brandt")).check()

    expect(refusal).to_be_hidden()


def test_a_note_made_larger_by_its_corner_breaks_no_policy_when_the_dialog_comes_again(lucia, jonas, visitor):
    dialog = colleagues.transfer_dialog(lucia)
    dialog.get_by_role("textbox").evaluate(
        "(note) => { note.style.height = '150px'; }"
    )  # what dragging the corner does
    dialog.get_by_role("button", name="Cancel").click()

    colleagues.transfer_dialog(lucia)

    expect(dialog.get_by_role("textbox")).to_be_visible()  # the policy's complaint would fail the test at its end


def test_a_request_that_rings_while_a_dialog_is_open_can_be_answered(lucia, visitor, person):
    colleagues.transfer_dialog(lucia)
    people.start_chat(person(), name="Dewi Nugroho", question="A broken zip.")

    people.accept(lucia, "Dewi Nugroho")

    expect(lucia.get_by_role("dialog")).to_have_count(0)
