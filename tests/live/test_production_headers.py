"""What every answer of a portal in production carries: pages, files, refusals, probes; and its cookies."""

import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest
from django.templatetags.static import static

from tests import make
from tests.live.sockets import Talk
from tests.portals import ROOT, Portal
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.places import running

PASSWORD = "correct horse battery"
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


def answer(address, cookie="", **headers):
    headers = {**BY_PROXY, "Cookie": cookie, **headers}
    try:
        return urllib.request.build_opener(Stay).open(urllib.request.Request(address, headers=headers), timeout=20)
    except urllib.error.HTTPError as refusal:
        return refusal


def is_guarded(headers):
    """Whether nothing of an answer may run, be framed or be taken for something else, and it is told to nobody."""
    policy = headers.get("Content-Security-Policy", "")
    company = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY"}
    is_strict = "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    return is_strict and all(headers[name] == value for name, value in company.items())


class ProductionPortal(Portal):
    """It sends whoever comes without https elsewhere; only the probes answer then."""

    def _ask(self, path, *arguments, **options):
        return super()._ask("/healthz", *arguments, **options)


class BrokenProductionPortal(BrokenPortal, ProductionPortal):
    """The same, of which a mutant is running."""


HTTPS = {"HTTPS": 1, "TRUSTED_PROXY": 1, "ALLOWED_HOSTS": "127.0.0.1", "METRICS_TOKEN": "right"}


@pytest.fixture
def in_production(transactional_db, tmp_path):
    portal = ProductionPortal(tmp_path, **HTTPS)
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
            assert is_guarded(headers), (address, headers.items())
            assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload", address


def test_who_came_without_https_or_to_another_host_gets_the_headers_too(in_production):
    plain = {"X-Forwarded-Proto": "http"}
    elsewhere = {"Host": "elsewhere.example.com"}
    for status, headers in ((301, plain), (400, {**plain, **elsewhere}), (400, elsewhere)):
        with answer(f"{in_production.url}/chat/", **headers) as response:
            assert response.status == status
            assert is_guarded(response.headers), (headers, response.headers.items())
            assert ("Strict-Transport-Security" in response.headers) == (headers == elsewhere)


class Browser:
    """Keeps cookies as a browser does, and every header that set one."""

    def __init__(self, portal):
        self.portal, self.cookies, self.set = portal, {}, []

    def ask(self, path, fields=None):
        headers = {**BY_PROXY, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        headers["Origin"] = self.portal.url.replace("http:", "https:")
        data = urllib.parse.urlencode(fields).encode() if fields else None
        request = urllib.request.Request(self.portal.url + path, data, headers)
        try:
            response = urllib.request.build_opener(Stay).open(request, timeout=20)
        except urllib.error.HTTPError as answer:
            response = answer
        with response:
            for header in response.headers.get_all("Set-Cookie", []):
                name, _, value = header.partition(";")[0].partition("=")
                self.cookies[name] = value
                self.set.append(header)
            return response.status, response.read().decode()

    def post(self, path, *, on=None, **fields):
        """Send a form as the page does on which it stands."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.ask(on or path)[1])
        return self.ask(path, {"csrfmiddlewaretoken": token[1], **fields})[0]


RULES = {"Secure": r"; Secure(;|$)", "SameSite": r"; SameSite=(Lax|Strict)(;|$)", "HttpOnly": r"; HttpOnly(;|$)"}


def cookies_set_by(portal):
    """Sign in, choose a language, open a chat and save a form of admin: for each cookie, the rules that it breaks."""
    make.queue("Returns", members=[make.supervisor("Lucía", username="lucia", password=PASSWORD)])
    browser = Browser(portal)
    assert browser.post("/language/", on="/sign-in/", language="es") == 302
    assert browser.post("/sign-in/", username="lucia", password=PASSWORD) == 302
    assert browser.ask("/desk/")[0] == 200
    assert browser.ask("/chat/returns/")[0] == 200
    assert browser.post("/admin/agents/idlereason/add/", name="Tea", order=1, is_in_use="on") == 302
    broken = {}
    for cookie in browser.set:
        missing = {name for name, rule in RULES.items() if not re.search(rule, cookie)}
        broken.setdefault(cookie.partition("=")[0], set()).update(missing)
    # The last one is a sentence for the next page of admin.
    assert broken.keys() == {"sessionid", "csrftoken", "livedesk_visitor", "django_language", "messages"}
    return broken


def test_every_cookie_is_for_https_for_the_server_and_for_this_site(in_production):
    broken = cookies_set_by(in_production)

    assert {name: rules for name, rules in broken.items() if rules} == {}  # no script of ours needs one


def test_mutant_cookies_for_scripts_and_for_lines_that_anybody_reads(transactional_db, tmp_path):
    mutant = "tests.proofs.mutants_operable:bare_cookies"
    with running([BrokenProductionPortal(tmp_path, mutant, **HTTPS)]) as (portal,):
        broken = cookies_set_by(portal)

    assert all({"Secure", "HttpOnly"} <= rules for rules in broken.values())


def test_djangos_own_check_of_a_deployment_finds_nothing():
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **PRODUCTION}, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr
