"""What counts as "the database is away", and what people and the log are told then."""

import contextlib
import logging
import sqlite3
import sys

import psycopg
import psycopg_pool
import pytest
from django.db import InterfaceError, OperationalError, connection

from config.outage import TRY_AGAIN, Briefly, ComingBack, is_outage
from tests import make
from tests.pages.browsing import HTMX, KEY, Page, desk_of, everything, visitor_of

AWAY_STATE = psycopg.errors.lookup("57P01")


def caused_by(cause, kind=OperationalError):
    problem = kind(str(cause))
    problem.__cause__ = cause
    return problem


def of_sqlite(code):
    problem = sqlite3.OperationalError("it is as it is")
    problem.sqlite_errorcode = code
    return problem


@pytest.mark.parametrize(
    "problem",
    [
        caused_by(psycopg_pool.PoolTimeout("couldn't get a connection after 10.00 sec")),
        caused_by(psycopg.OperationalError("server closed the connection unexpectedly")),
        caused_by(AWAY_STATE("terminating connection due to administrator command")),
        caused_by(psycopg.errors.lookup("53300")("too many clients already")),
        caused_by(of_sqlite(sqlite3.SQLITE_BUSY)),
        caused_by(of_sqlite(sqlite3.SQLITE_IOERR_READ)),
        InterfaceError("connection already closed"),
    ],
)
def test_a_database_that_does_not_answer_is_away(problem):
    assert is_outage(problem)


@pytest.mark.parametrize(
    "problem",
    [
        None,
        ValueError("no"),
        OperationalError("of our own making"),
        caused_by(psycopg.errors.lookup("40P01")("deadlock detected")),
        caused_by(psycopg.errors.lookup("22003")("numeric value out of range")),
        caused_by(of_sqlite(sqlite3.SQLITE_ERROR)),
    ],
)
def test_what_the_database_refuses_is_a_fault_of_ours(problem):
    assert not is_outage(problem)


GONE = caused_by(psycopg.OperationalError("server closed the connection unexpectedly\nDETAIL:  a row of words"))


@contextlib.contextmanager
def away():
    """No question reaches the database."""

    def fail(*_question):
        raise GONE

    with connection.execute_wrapper(fail):
        yield


def ask(client, method, path, data=None, **headers):
    client.raise_request_exception = False
    with away():
        response = getattr(client, method)(path, data, headers=headers)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "default-src" in response.headers["Content-Security-Policy"]
    return response


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "heading"), [("en", "Not available right now"), ("es", "No disponible en este momento")]
)
def test_who_asks_for_a_page_is_told_to_try_again_and_how(language, heading):
    response = ask(desk_of(make.agent()), "get", "/desk/?q=a%26b", **{"Accept-Language": language})

    page = Page(response)
    assert page.one("html")["lang"] == language
    assert page.one("h1").text == heading
    assert page.one("a", href="/desk/?q=a%26b").text


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "field"), [("/chat/current/messages/", "text"), ("/chat/orders/", "question")])
def test_what_a_visitor_wrote_is_kept_and_nothing_is_stored(path, field):
    make.queue("Orders", slug="orders")
    client = visitor_of(make.active_conversation())
    before = everything()

    response = ask(client, "post", path, {"key": KEY, "name": "Zoe", field: "Where is <my> parcel?"})

    page = Page(response)
    assert page.one("textarea", id="kept").text == "Where is <my> parcel?"
    assert "nothing was changed" in response.content.decode()
    assert page.all("a")
    assert everything() == before


@pytest.mark.django_db
def test_a_button_of_the_desk_says_so_in_the_notice_line():
    response = ask(desk_of(make.agent()), "post", "/desk/state/", {"state": "idle"}, **HTMX)

    assert response.headers["Livedesk-Notice"] == "1"
    assert response.headers["HX-Reswap"] == "none"
    assert "nothing was changed" in Page(response).one("p").text


@pytest.mark.parametrize(
    ("problem", "is_brief"),
    [(GONE, True), (caused_by(psycopg.errors.lookup("22003")("out of range")), False), (KeyError("x"), False)],
)
def test_the_log_gets_a_line_with_the_reason_and_no_rows(problem, is_brief):
    try:
        raise problem
    except Exception:
        record = logging.LogRecord("django", logging.ERROR, "", 0, "Failed: %s", ("/desk/",), sys.exc_info())

    assert Briefly().filter(record)

    if is_brief:
        assert (
            logging.Formatter().format(record)
            == "Failed: /desk/ (server closed the connection unexpectedly (row left out))"
        )
    else:
        assert record.exc_info[1] is problem


async def sent_by(problem):
    """What a socket is sent whose application raises this."""
    sent = []

    async def application(*_asked):
        raise problem

    async def send(message):
        sent.append(message)

    await ComingBack(application)({"type": "websocket"}, None, send)
    return sent


async def test_a_socket_is_told_to_come_back():
    assert await sent_by(GONE) == [{"type": "websocket.close", "code": TRY_AGAIN}]


async def test_a_socket_whose_fault_is_ours_fails():
    with pytest.raises(OperationalError, match="deadlock"):
        await sent_by(caused_by(psycopg.errors.lookup("40P01")("deadlock detected")))
