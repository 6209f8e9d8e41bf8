"""What every answer carries, and that no page needs more than the policy allows."""

import re

import pytest
from django.templatetags.static import static
from django.test import Client
from django.urls import reverse

from agents.states import AgentState
from config.guards import guards
from config.sessions import SessionStore
from conversations.views import chat
from tests import make
from tests.pages.browsing import HTMX, KEY, Page, desk_of, newcomer, visitor_of

pytestmark = pytest.mark.django_db

ALLOWED = {"'self'", "'none'", "data:"}


def world():
    """Browsers and the addresses that each of them opens: every page of the portal once."""
    lucia, vera = make.agent("Lucía", state=AgentState.RONA), make.supervisor()
    orders, night = make.queue("Orders", members=[lucia]), make.closed_queue()
    make.closing_reason(orders)
    active = make.active_conversation(lead=lucia, queue=orders, visitor_email="ana@example.com")
    wrapping = make.wrap_up_conversation(lead=lucia, queue=orders)
    closed = make.closed_conversation(lead=lucia, queue=orders)
    waiting = make.waiting_conversation(queue=orders)
    make.offer(to=lucia, conversation=waiting)
    desk = [reverse(f"desk:{name}", args=[active.pk]) for name in ("conversation", "transcript", "earlier")]
    return [
        (newcomer(), ["/", "/chat/", "/chat/orders/", f"/chat/{night.slug}/", "/sign-in/", "/nothing/", "/chat/none/"]),
        (visitor_of(waiting), [f"/chat/current/{name}" for name in ("", "thread/", "poll/", "end/", "earlier/")]),
        (visitor_of(active), ["/chat/current/", "/chat/"]),
        (visitor_of(closed), ["/chat/current/", "/chat/current/thread/"]),
        (
            desk_of(lucia),
            ["/desk/", "/desk/poll/", "/desk/conversations/0/", "/admin/", *desk]
            + [reverse(f"desk:{name}", args=[wrapping.pk]) for name in ("conversation", "closing")],
        ),
        (
            desk_of(vera),
            ["/desk/", "/admin/", "/admin/queues/queue/", f"/admin/queues/queue/{orders.pk}/change/"]
            + ["/admin/agents/agent/add/", f"/admin/conversations/conversation/{closed.pk}/change/"],
        ),
    ]


def answers():
    """Every answer of the world, as a page and as htmx gets it."""
    for client, addresses in world():
        for address in addresses:
            for headers in ({}, HTMX):
                yield f"{address} {headers}", client.get(address, headers=headers)


def directives(response):
    parts = [part.split() for part in response["Content-Security-Policy"].split(";")]
    return {name: set(values) for name, *values in parts}


def test_every_answer_carries_the_policy_and_its_company():
    for name, response in answers():
        policy = directives(response)
        assert policy["default-src"] == {"'none'"}, name
        assert policy["script-src"] == policy["style-src"] == {"'self'"}, name
        assert policy["base-uri"] == {"'none'"}, name
        assert policy["form-action"] == {"'self'"}, name
        assert set.union(*policy.values()) <= ALLOWED, name
        assert response["X-Content-Type-Options"] == "nosniff", name
        assert response["Referrer-Policy"] == "same-origin", name
        assert response["Cross-Origin-Opener-Policy"] == "same-origin", name


def test_nobody_may_frame_a_page_but_we_the_thread():
    for name, response in answers():
        is_thread = name.startswith("/chat/current/thread/") and response.status_code == 200
        ours = ("SAMEORIGIN", {"'self'"}) if is_thread else ("DENY", {"'none'"})
        assert (response["X-Frame-Options"], directives(response)["frame-ancestors"]) == ours, name


def test_static_files_and_refusals_carry_them_too(client):
    refused = newcomer().post("/chat/current/end/")
    missing = client.get("/static/nothing.js")
    token = client.__class__(enforce_csrf_checks=True).post("/sign-in/")
    script = client.get(static("js/page.js"))

    assert [r.status_code for r in (refused, missing, token, script)] == [404, 404, 403, 200]
    assert b"".join(script)
    for response in (refused, missing, token, script):
        assert directives(response)["default-src"] == {"'none'"}
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["X-Frame-Options"] == "DENY"


def breaks(*arguments, **named):
    raise RuntimeError("our own fault")


def broken_answers(client, settings, monkeypatch):
    """Answers to what is refused, comes too fast, is broken, or breaks us: the status of each, and the answer."""
    settings.SIGN_INS_PER_MINUTE = 1
    guess = {"username": "lucia", "password": "wrong"}
    client.raise_request_exception = False
    visitor = visitor_of(make.active_conversation(lead=make.agent("Lucía")))
    ended = visitor_of(make.closed_conversation(lead=make.agent("Jonas")))
    yield 302, client.get("/desk/")
    yield 400, client.get("/chat/", headers={"Host": "elsewhere.example.com"})
    yield 403, Client(enforce_csrf_checks=True).post("/sign-in/", guess)
    yield 404, client.get("/nothing/")
    yield 405, client.post("/chat/")
    yield 409, ended.post("/chat/current/messages/", {"key": KEY, "text": "Hello"})
    yield 422, visitor.post("/chat/current/messages/", {"key": KEY, "text": ""})
    yield 200, client.post("/sign-in/", guess)
    yield 429, client.post("/sign-in/", guess)
    monkeypatch.setattr(chat.hours, "is_open", breaks)
    yield 500, client.get("/chat/")
    yield 500, client.get("/chat/", headers=HTMX)
    monkeypatch.setattr(SessionStore, "load", breaks)
    client.cookies["sessionid"] = "0123456789abcdefghijklmnopqrstuv"
    yield 500, client.get("/desk/")


def test_what_is_refused_or_breaks_carries_them_too(client, settings, monkeypatch):
    for status, response in broken_answers(client, settings, monkeypatch):
        assert response.status_code == status
        assert directives(response)["default-src"] == {"'none'"}, status
        assert directives(response)["frame-ancestors"] == {"'none'"}, status
        assert response["X-Content-Type-Options"] == "nosniff", status
        assert response["Referrer-Policy"] == "same-origin", status
        assert response["X-Frame-Options"] == "DENY", status


def test_the_proxy_of_the_documentation_gives_static_files_the_headers_too(settings):
    settings.SECURE_HSTS_SECONDS = 31_536_000
    text = (settings.BASE_DIR / "docs" / "deployment.md").read_text(encoding="utf-8")
    block = text.partition("location /static/ {")[2].partition("}")[0]

    given = dict(re.findall(r'add_header (\S+) "(.*)" always;', block))
    assert given == {name: value for name, value in guards() if name != "Cache-Control"}


def test_no_page_holds_a_script_or_a_style_of_its_own():
    for name, response in answers():
        if "html" not in response.get("Content-Type", ""):
            continue
        for element in Page(response).elements:
            where = f"{name}: <{element.tag} {dict(element)}>"
            assert element.tag not in ("style", "base", "object", "embed"), where
            assert element.tag != "script" or ("src" in element or element.get("type") == "application/json"), where
            assert not any(attribute == "style" or attribute.startswith(("on", "hx-on")) for attribute in element), (
                where
            )
            for attribute in ("src", "href", "action", "formaction", "hx-get", "hx-post"):
                assert not re.match(r"\s*(javascript|data|vbscript):", element.get(attribute) or "", re.I), where
            for attribute in ("src", "hx-get", "hx-post", "action"):
                assert not re.match(r"(https?:)?//", element.get(attribute) or ""), where
            assert element.tag != "link" or element["href"].startswith("/"), where
            assert not (element.get("hx-vals") or "").lstrip().startswith("js:"), where


def test_every_script_and_style_that_a_page_names_is_served():
    seen = set()
    for _name, response in answers():
        if "html" in response.get("Content-Type", ""):
            seen |= {e.get("src") or e.get("href") for e in Page(response).all() if e.tag in ("script", "link")}
    client = desk_of(make.supervisor())

    assert len(seen) > 8
    for address in seen - {None}:
        response = client.get(address)
        assert b"".join(response), address
        assert response.status_code == 200, address


def test_links_out_of_a_thread_tell_nothing_about_us():
    conversation = make.waiting_conversation(first_message="See https://example.com/ and ana@example.com")

    page = Page(visitor_of(conversation).get("/chat/current/"))

    outside = [a for a in page.all("a") if a["href"].startswith(("http", "mailto"))]
    assert len(outside) == 2
    assert all(set(a["rel"].split()) >= {"noopener", "nofollow"} for a in outside)


def test_https_is_demanded_where_the_portal_has_it(settings, client):
    settings.SECURE_SSL_REDIRECT = True

    moved = client.get("/chat/")
    nowhere = client.get("/chat/", headers={"Host": "elsewhere.example.com"})

    assert (moved.status_code, moved["Location"]) == (301, "https://testserver/chat/")
    assert nowhere.status_code == 400
    for response in (moved, nowhere):
        assert directives(response)["default-src"] == {"'none'"}
        assert directives(response)["frame-ancestors"] == {"'none'"}
        assert response["X-Frame-Options"] == "DENY"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Referrer-Policy"] == response["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Strict-Transport-Security" not in response  # over http it would mean nothing
