import pytest
from django.core.management import CommandError

from config import demo
from config.management.commands.serve import address_of, refusal, welcome_text
from tests import make

NOWHERE = {"unix": None, "fd": None, "host": "127.0.0.1", "port": "8000"}


@pytest.mark.django_db
def test_the_welcome_names_three_addresses():
    text = welcome_text("127.0.0.1", "8000")

    assert "http://127.0.0.1:8000/chat/" in text
    assert "http://127.0.0.1:8000/desk/" in text
    assert "http://127.0.0.1:8000/admin/" in text
    assert demo.PASSWORD not in text


@pytest.mark.django_db
def test_the_welcome_names_those_of_the_demo_who_can_sign_in():
    make.agent("Lucia", username="lucia", password=demo.PASSWORD)
    make.agent("Jonas", username="jonas", password="something else")
    make.agent("Vera", username="vera", password=demo.PASSWORD)

    text = welcome_text("127.0.0.1", "8000")

    assert f"Agents lucia; supervisor vera; password {demo.PASSWORD}" in text


@pytest.mark.django_db
@pytest.mark.parametrize(
    "host, shown", [("0.0.0.0", "http://127.0.0.1:8000"), ("::", "http://[::1]:8000"), ("::1", "http://[::1]:8000")]
)
def test_the_welcome_shows_addresses_that_a_browser_opens(host, shown):
    assert shown in welcome_text(host, "8000")


def test_it_listens_with_room_for_everyone_who_comes_back_at_once():
    assert address_of(NOWHERE) == "tcp:port=8000:interface=127.0.0.1:backlog=2048"
    assert address_of({**NOWHERE, "host": "::1"}) == r"tcp:port=8000:interface=\:\:1:backlog=2048"
    assert address_of({**NOWHERE, "unix": "/run/livedesk"}) == "unix:/run/livedesk:backlog=2048"


@pytest.mark.parametrize("port", ["eighty", "-1", "65536", "٨٠٠٠", ""])
def test_a_wrong_port_is_a_sentence(port):
    with pytest.raises(CommandError, match="it takes a number from 0 to 65535"):
        address_of({**NOWHERE, "port": port})


def test_another_reason_not_to_listen_is_named():
    assert refusal(NOWHERE, "Permission denied") == (
        "The server cannot listen on 127.0.0.1, port 8000: Permission denied"
    )
