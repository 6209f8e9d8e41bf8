"""My conversations: searched, cleared, and left by the way that a refusal shows."""

import pytest
from playwright.sync_api import expect

from agents.models import Agent
from tests import make
from tests.browser import people


@pytest.fixture
def lucia(transactional_db, person):
    """Signed in, with two finished conversations."""
    orders = make.queue("Orders")
    make.closing_reason(orders, "Resolved", is_default=True)
    people.agent("Lucía Marín", orders)
    page = people.sign_in(person(), "lucia")
    for name in ("Ana Pereira", "Marek Dudek"):
        make.closed_conversation(lead=Agent.objects.get(username="lucia"), queue=orders, visitor_name=name)
    return page


def test_clearing_a_search_brings_the_whole_page_again(lucia):
    lucia.get_by_role("link", name="My conversations").click()
    lucia.get_by_role("searchbox", name="Customer").fill("Marek")
    lucia.get_by_role("button", name="Search").click()
    found = lucia.get_by_role("region", name="Conversations found")
    expect(found.get_by_role("listitem")).to_have_count(1)

    lucia.get_by_role("link", name="Clear").click()

    expect(found.get_by_role("listitem")).to_have_count(2)
    expect(lucia.get_by_role("searchbox", name="Customer")).to_have_value("")
    expect(lucia.get_by_role("main").get_by_role("heading", name="My conversations")).to_be_visible()


def test_a_conversation_that_is_not_there_shows_the_way_back_to_the_desk(lucia):
    lucia.goto("/desk/conversations/999999/")

    lucia.get_by_role("link", name="Back to the desk").click()

    expect(lucia.get_by_role("heading", name="No conversation is open")).to_be_visible()
