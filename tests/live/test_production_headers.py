"""What every answer of a portal in production carries: pages, files, refusals, probes; and its cookies."""

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from django.templatetags.static import static

from tests import make
from tests.live.sockets import Talk
from tests.portals import ROOT, Portal

# As nginx passes on what came by https.
BY_PROXY = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
PRODUCTION = {
    "LIVEDESK_EMBEDDED": "0",
    "SECRET_KEY": "k9-Vq3x_7Zt1mWb8RfYd2LhPcGs5NuJa6TeQoXi4BvKw0-MzHd3-UyEb5",
    "ALLOWED_HOSTS": "desk.example.com",
    "DATABASE_URL": "postgresql://livedesk@db.example.com/livedesk",
    "REDIS_URL": "redis://redis.example.com/0",
    "DEBUG": "0",
}


class Stay(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer too."""

    def redirect_request(self, *arguments):
        return None


def answer(address, cookie=""):
    headers = {**BY_PROXY, "Cookie": cookie}
    try:
        return urllib.request.build_opener(Stay).open(urllib.request.Request(address, headers=headers), timeout=20)
    except urllib.error.HTTPError as refusal:
        return refusal


class ProductionPortal(Portal):
    """It sends whoever comes without https elsewhere; only the probes answer then."""

    def _ask(self, path, *arguments, **options):
        return super()._ask("/healthz", *arguments, **options)


@pytest.fixture
def in_production(transactional_db, tmp_path):
    portal = ProductionPortal(tmp_path, HTTPS=1, TRUSTED_PROXY=1, ALLOWED_HOSTS="127.0.0.1", METRICS_TOKEN="right")
    yield portal.start()
    portal.stop()


def test_every_answer_carries_the_headers(in_production):
    talk = Talk()
    make.queue("Returns")
    addresses = ["/", "/chat/", "/chat/returns/", "/chat/none/", "/sign-in/", "/desk/", "/admin/", "/nothing/"]
    addresses += ["/chat/current/", "/healthz", "/readyz", "/metrics", "/static/none.js", static("js/page.js")]
    for cookie in ("", talk.visitor_cookie, talk.agent_cookie):
        for address in addresses:
            with answer(in_production.url + address, cookie) as response:
                headers = response.headers
            assert "default-src 'none'" in headers["Content-Security-Policy"], address
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], address
            assert "unsafe" not in headers["Content-Security-Policy"], address
            assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload", address
            assert headers["X-Content-Type-Options"] == "nosniff", address
            assert headers["Referrer-Policy"] == "same-origin", address
            assert headers["X-Frame-Options"] == "DENY" or address.startswith("/static/"), address


def test_every_cookie_is_for_https_for_the_server_and_for_this_site(in_production):
    make.queue("Returns")
    cookies = []
    for address in ("/chat/returns/", "/sign-in/"):
        with answer(in_production.url + address) as response:
            cookies += response.headers.get_all("Set-Cookie", [])

    names = {cookie.partition("=")[0] for cookie in cookies}
    assert len(names) >= 2, f"unknown: {names}"
    for cookie in cookies:
        assert re.search(r"; Secure(;|$)", cookie), cookie
        assert re.search(r"; SameSite=(Lax|Strict)(;|$)", cookie), cookie
        assert re.search(r"; HttpOnly(;|$)", cookie), cookie


def test_djangos_own_check_of_a_deployment_finds_nothing():
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **PRODUCTION}, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr
