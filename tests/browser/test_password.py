"""An agent changes his password, with the keyboard alone."""

import pytest
from playwright.sync_api import expect

from tests import make
from tests.browser import people

NEW = "battery and staple"


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["wide", "narrow"])
def test_an_agent_changes_his_password_by_keyboard_and_his_other_desk_ends(transactional_db, person, size):
    people.agent("Lucía Marín", make.queue("Orders"))
    page = people.sign_in(person(viewport={"width": size[0], "height": size[1]}), "lucia")
    other = people.sign_in(person(), "lucia")

    page.locator("#state-button").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Old password")).to_be_focused()
    page.keyboard.type(people.PASSWORD)
    for _ in range(2):
        page.keyboard.press("Tab")
        page.keyboard.type(NEW)
    page.keyboard.press("Enter")

    page.wait_for_url("**/desk/")
    notice = page.locator("#notices .notice")
    expect(notice).to_contain_text("Your password is changed.")
    expect(page.locator("#connection-chip")).to_have_attribute("data-status", "connected")
    notice.get_by_role("button").focus()
    page.keyboard.press("Escape")
    expect(notice).to_have_count(0)
    expect(other.locator("#connection-chip")).to_have_attribute("data-status", "ended")
    people.sign_in(person(), "lucia", NEW)
