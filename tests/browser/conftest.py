"""A real browser on a running portal: one for all these tests, a fresh profile for each person."""

import os

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.chromium import chromium

LATE_MILLISECONDS = 10_000  # a slow machine, or one that others use too


@pytest.fixture(scope="package")
def browser():
    """Open only while this package runs: Playwright keeps a loop running on the main thread."""
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    expect.set_options(timeout=LATE_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium().options)
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
    else:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@pytest.fixture
def person(browser, portal):
    """Open a page of a new person: `person()`, `person(locale="es", color_scheme="dark")`.

    What breaks in a page's script, and what the content security policy refuses, fails the test. Give
    `wait_for_function` a function: the policy lets no text be evaluated, which shows only when the page is late.
    """
    contexts, faults = [], []

    def open_page(**options):
        context = browser.new_context(**{"base_url": portal.url, "locale": "en-GB", **options})
        context.set_default_timeout(LATE_MILLISECONDS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if is_fault(message) else None)
        return page

    yield open_page

    for context in contexts:
        context.close()
    assert faults == []


def is_fault(message):
    """Refused addresses are the tests' own doing (offline, 404, 409); scripts and policies are ours."""
    return message.type == "error" and not any(
        word in message.text for word in ("Failed to load resource", "WebSocket connection to", "Response Status Error")
    )
