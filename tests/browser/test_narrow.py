"""A request that rings on a phone in the middle of something else; and presses that nothing takes away."""

import pytest
from playwright.sync_api import expect

from tests import make
from tests.browser import people

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def lucia(transactional_db, person):
    """At a phone, in the conversation with Ana."""
    queue = make.queue("Orders", offer_timeout_seconds=60)
    make.closing_reason(queue, "Resolved", is_default=True)
    people.agent("Lucía Marín", queue, capacity=5)
    page = people.become_available(people.sign_in(person(viewport=PHONE), "lucia"))
    people.start_chat(person())
    people.requests(page).get_by_role("button", name="Accept").click()
    expect(people.reply_box(page)).to_be_visible()
    return page


@pytest.fixture
def ringing(lucia, person):
    """Marek rings meanwhile."""
    people.start_chat(person(), name="Marek Dudek", question="My parcel has not come.")
    request = people.requests(lucia).get_by_role("article", name="Marek Dudek")
    expect(request).to_be_visible()
    return request


def test_on_a_phone_a_request_is_a_bar_that_shows_the_rest_when_asked(lucia, ringing):
    expect(ringing.get_by_role("button", name="Accept")).to_be_visible()
    expect(ringing.get_by_text("My parcel has not come.")).to_be_hidden()

    ringing.get_by_role("button", name="Show the whole request").click()

    expect(ringing.get_by_text("My parcel has not come.")).to_be_visible()
    expect(ringing.get_by_role("button", name="Decline")).to_be_visible()


def test_a_request_leaves_the_buttons_of_a_dialog_free_and_the_note_is_kept(lucia, ringing):
    lucia.get_by_role("button", name="Transfer", exact=True).click()
    dialog = lucia.get_by_role("dialog", name="Transfer request")
    dialog.get_by_label("Note for the next agent").fill("She moved to Porto.")
    dialog.get_by_role("button", name="Transfer", exact=True).click(trial=True)
    dialog.get_by_role("button", name="Cancel").click(trial=True)

    lucia.get_by_role("article", name="Marek Dudek").get_by_role("button", name="Accept").click()
    expect(people.reply_box(lucia, "Marek Dudek")).to_be_visible()
    lucia.get_by_role("link", name="Back to the tasks").click()
    lucia.get_by_role("link", name="Ana Pereira").click()
    lucia.get_by_role("button", name="Transfer", exact=True).click()

    expect(dialog.get_by_label("Note for the next agent")).to_have_value("She moved to Porto.")


def test_the_state_menu_opens_when_its_button_is_drawn_anew_under_the_finger(lucia):
    lucia.locator("#state-button").hover()
    lucia.mouse.down()
    lucia.evaluate("document.getElementById('state').outerHTML = document.getElementById('state').outerHTML")
    lucia.mouse.up()

    expect(lucia.get_by_role("menuitem", name="Available", exact=True)).to_be_visible()
