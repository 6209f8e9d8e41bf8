"""What every test may use: the databases let go in order, empty doorbells, and portals that run."""

import pytest
from asgiref.sync import SyncToAsync
from channels.layers import channel_layers
from django.conf import settings
from django.core.cache import cache
from django.db import connections
from django.utils import translation

from config import background, rates
from config.threads import close_connections
from conversations.masking import restricted
from conversations.thread import rendered
from tests.live.sockets import Here
from tests.portals import Portal, database_url
from tests.proofs.lateness import Machine
from tests.told import handed_out

# A thread that was asked for nothing more may still hold one.
OTHERS_OUT = """
SELECT PG_TERMINATE_BACKEND(pid) FROM pg_stat_activity WHERE datname = CURRENT_DATABASE() AND pid <> PG_BACKEND_PID()
"""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    yield
    # Threads keep their connections, and PostgreSQL drops no database that someone uses.
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
    close_connections()
    for connection in connections.all():
        if connection.vendor == "postgresql":
            with django_db_blocker.unblock(), connection.cursor() as cursor:
                cursor.execute(OTHERS_OUT)
            connection.close()
            connection.close_pool()


@pytest.fixture(autouse=True)
def nothing_left_over():
    """Nothing that the process remembers comes from another test; a layer must not outlive its loop."""
    translation.deactivate()  # a request leaves its language behind
    channel_layers.backends.clear()
    cache.clear()
    rates.forget_all()
    rendered.forget()
    restricted.forget()
    handed_out.clear()
    yield
    channel_layers.backends.clear()


@pytest.fixture
def start_portal(transactional_db, tmp_path_factory):
    """Start a server on the test's database, with other settings by name: `start_portal(CHATS_PER_HOUR=2)`."""
    started = []

    def start(**environment):
        portal = Portal(tmp_path_factory.mktemp("portal"), **environment)
        started.append(portal)
        return portal.start()

    yield start

    problems = []
    for portal in started:
        try:
            portal.stop() if portal.is_running else portal.look_through_log()
        except Exception as problem:
            problems.append(problem)
            portal.process.kill()
            portal.process.wait()
    if problems:
        raise problems[0]


@pytest.fixture
def machine(transactional_db):
    """Tells how late the machine itself is, whatever the portal does: `machine.lag(began, ended)`."""
    machine = Machine(database_url())
    yield machine
    machine.close()


@pytest.fixture
def portal(start_portal):
    """One running server."""
    return start_portal()


@pytest.fixture
def two_portals(start_portal):
    """Two servers of one portal, as in production; mark the test `only_on("postgresql")`."""
    return start_portal(), start_portal()


@pytest.fixture
async def here(transactional_db, monkeypatch):
    """The portal inside this process, for what only patches can bring about."""
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", ["testserver"])
    await background.start()
    yield Here()
    await background.stop()
