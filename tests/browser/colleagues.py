"""What agents do with each other at the desk."""

import re

from playwright.sync_api import expect


def transfer_dialog(page):
    """Open the dialog Transfer request."""
    page.get_by_role("button", name="Transfer", exact=True).click()
    dialog = page.get_by_role("dialog", name="Transfer request")
    expect(dialog).to_be_visible()
    return dialog


def conference_dialog(page):
    """Open the dialog Conference request."""
    page.get_by_role("button", name="Conference", exact=True).click()
    dialog = page.get_by_role("dialog", name="Conference request")
    expect(dialog).to_be_visible()
    return dialog


def ask(page, dialog, colleague, button, note=""):
    """Choose a colleague in a dialog and send the request."""
    dialog.get_by_role("radio", name=re.compile(colleague)).check()
    dialog.get_by_role("textbox").fill(note)
    dialog.get_by_role("button", name=button, exact=True).click()
    expect(dialog).to_be_hidden()


def ask_to_take_over(page, colleague, note=""):
    ask(page, transfer_dialog(page), colleague, "Transfer", note)
    expect(page.get_by_text("Transfer requested")).to_be_visible()


def ask_to_join(page, colleague, note=""):
    ask(page, conference_dialog(page), colleague, "Invite", note)
