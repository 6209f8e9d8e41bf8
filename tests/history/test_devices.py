"""What an agent reads of the customer's browser, and of the page he came from."""

import pytest
from django.utils import translation

from conversations.customer import foreign_page, is_web_address
from conversations.devices import device_of

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0"


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0", "Firefox on Android"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", "Chrome on Windows"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36 EdgA/131", "Edge on Android"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36", "Chrome on ChromeOS"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.5 Mobile/15E148 Safari/604.1",
            "Safari on iOS",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.5 Safari/605.1.15",
            "Safari on macOS",
        ),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox on Linux"),
        ("curl/8.0", ""),
        ("x" * 400, ""),
        ("<script>alert(1)</script>", ""),
        ("", ""),
    ],
)
def test_a_device_is_browser_and_system_or_nothing(user_agent, device):
    with translation.override("en"):
        assert device_of(user_agent) == device


@pytest.mark.parametrize(
    "address",
    [
        "https://desk.example.com/chat/",
        "http://desk.example.com/",
        "https://DESK.example.com:443/chat/orders/?x=1",
        "https://someone@desk.example.com/",
        "http://[broken",
    ],
)
def test_a_page_of_our_own_is_not_where_a_visitor_came_from(address):
    assert foreign_page(address, "desk.example.com") == ""


@pytest.mark.parametrize(
    "address", ["https://shop.example.com/orders/1", "http://desk.example.com:8000/", "about:srcdoc"]
)
def test_another_page_is_kept_as_it_is(address):
    assert foreign_page(address, "desk.example.com") == address


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "//shop.example.com/", "shop", "http://["]
)
def test_only_a_web_address_may_be_a_link(address):
    assert not is_web_address(address)
    assert is_web_address("https://shop.example.com/orders/1")
