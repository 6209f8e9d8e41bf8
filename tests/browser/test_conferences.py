"""Conferences on the desk: colleagues join, all write, and the conversation goes on when one of them goes."""

import pytest
from playwright.sync_api import expect

from tests import make
from tests.browser import colleagues, people


@pytest.fixture
def portal(start_portal):
    """A server for which an agent is gone soon after his last desk."""
    return start_portal(AGENT_GRACE_SECONDS=12)


@pytest.fixture
def orders(transactional_db):
    queue = make.queue("Orders", offer_timeout_seconds=60)
    make.closing_reason(queue, "Resolved", is_default=True)
    people.agent("Lucía Marín", queue)
    for name in ("Jonas Brandt", "Sofía Ruiz"):
        people.agent(name, make.queue("Logistics"))
    return queue


@pytest.fixture
def desks(orders, person):
    """Lucía, Jonas and Sofía at their desks, Available."""
    names = ("lucia", "jonas", "sofia")
    return [people.become_available(people.sign_in(person(), name)) for name in names]


@pytest.fixture
def conference(desks, person):
    """Ana, served by Lucía with Jonas and Sofía beside her."""
    lucia, jonas, sofia = desks
    visitor = people.start_chat(person())
    people.accept(lucia)
    for name, page in (("Jonas Brandt", jonas), ("Sofía Ruiz", sofia)):
        colleagues.ask_to_join(lucia, name)
        expect(lucia.get_by_text("Conference requested")).to_be_visible()
        people.accept(page)
        expect(lucia.get_by_text("Conference requested")).to_have_count(0)
    return visitor, lucia, jonas, sofia


def test_all_four_write_until_the_conference_ends(conference):
    visitor, lucia, jonas, sofia = conference
    expect(lucia.locator(".joined")).to_have_text("Conference · Jonas Brandt, Sofía Ruiz")
    expect(visitor.get_by_role("log")).to_contain_text("Sofía Ruiz joined the conversation")
    for page in (jonas, sofia):
        expect(page.get_by_role("button", name="Leave conference")).to_be_visible()
        for name in ("Transfer", "Conference", "End"):
            expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)

    people.write(people.message_box(visitor), "Who is who?")
    people.write(people.reply_box(lucia), "Lucía here.")
    people.write(people.reply_box(jonas), "Jonas here.")
    people.write(people.reply_box(sofia), "Sofía here.")
    for page in conference:
        for text in ("Who is who?", "Lucía here.", "Jonas here.", "Sofía here."):
            expect(page.get_by_role("log").get_by_text(text, exact=True)).to_be_visible()

    sofia.get_by_role("button", name="Leave conference").click()
    expect(sofia.get_by_text("You have left the conversation with Ana Pereira.")).to_be_visible()
    expect(lucia.locator(".joined")).to_have_text("Conference · Jonas Brandt")

    lucia.get_by_role("button", name="End conference").click()
    expect(lucia.locator(".joined")).to_have_count(0)
    expect(jonas.get_by_role("heading", name="No conversation is open")).to_be_visible()
    people.write(people.reply_box(lucia), "Just us again.")
    expect(visitor.get_by_role("log")).to_contain_text("Just us again.")


def test_a_guest_who_comes_back_as_the_lead_is_not_told_that_it_went(conference):
    _visitor, lucia, jonas, _sofia = conference
    gone = jonas.locator("#notices").get_by_text("is no longer yours")
    lucia.get_by_role("button", name="End conference").click()
    expect(gone).to_be_visible()

    colleagues.ask_to_take_over(lucia, "Jonas Brandt")
    people.accept(jonas)

    expect(gone).to_have_count(0, timeout=4_000)  # by itself it would stay longer


def test_a_lost_lead_is_replaced_by_the_first_guest(conference):
    visitor, lucia, jonas, _sofia = conference

    lucia.context.close()

    expect(jonas.get_by_role("button", name="End", exact=True)).to_be_visible(timeout=60_000)
    expect(jonas.locator(".joined")).to_have_text("Conference · Sofía Ruiz")
    people.write(people.reply_box(jonas), "I go on with you.")
    expect(visitor.get_by_role("log")).to_contain_text("I go on with you.")


def test_an_invitation_is_taken_back(desks, person):
    lucia, jonas, _sofia = desks
    people.start_chat(person())
    people.accept(lucia)
    colleagues.ask_to_join(lucia, "Jonas Brandt", note="Can you redirect it?")
    request = people.requests(jonas).get_by_role("article", name="Ana Pereira")
    expect(request).to_contain_text("Can you redirect it?")

    lucia.get_by_role("button", name="Cancel request").click()

    expect(request).to_have_count(0)
    expect(lucia.get_by_role("button", name="Conference", exact=True)).to_be_enabled()
