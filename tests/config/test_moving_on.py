"""Moving on to another database, by the commands of docs/deployment.md: every row comes along."""

import contextlib
import datetime as dt
import json
import os
import re
import shlex
import subprocess
import sys

import psycopg
import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import Permission
from django.db import connection

from conversations.models import FileType
from tests import make
from tests.portals import ROOT, database_url
from tests.proofs.two_talks import World
from tests.told import connect_to

MANAGE = ".venv/bin/python manage.py"
NEXT_TYPE = "from conversations.models import FileType; FileType.objects.create(extension='one')"
GUIDE = ROOT / "docs" / "deployment.md"
TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}
# What the new database numbers by itself, and what its own migrations and visitors write.
OWN = {"django_session", "django_content_type", "django_migrations", "auth_permission"}
RIGHT = "JOIN auth_permission p ON p.id = permission_id JOIN django_content_type c ON c.id = p.content_type_id"
BY_NAME = {
    "agents_agent_groups": "SELECT agent_id, group_id FROM agents_agent_groups",
    "agents_agent_user_permissions": f"SELECT agent_id, p.codename, model FROM agents_agent_user_permissions {RIGHT}",
    "auth_group_permissions": f"SELECT group_id, p.codename, model FROM auth_group_permissions {RIGHT}",
    "django_admin_log": "SELECT l.id, user_id, object_id, object_repr, action_flag, change_message, action_time, model "
    "FROM django_admin_log l JOIN django_content_type c ON c.id = content_type_id",
}


def kept(value):
    """A value as the file has it: moments to the millisecond, as the portal on SQLite reads the clock."""
    if isinstance(value, dt.datetime):
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return MOMENT.sub(r"\1000", value) if isinstance(value, str) else value


MOMENT = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\d{3}$")


def rows_of(address):
    """Every row of every table, for the same rows on both sides."""
    with contextlib.closing(connect_to(address)) as database:
        tables = [name for (name,) in database.execute(TABLES[address.partition(":")[0]]).fetchall()]
        found = {
            table: database.execute(BY_NAME.get(table, f'SELECT * FROM "{table}"')).fetchall()
            for table in set(tables) - OWN
        }
    return {table: sorted(str([kept(value) for value in row]) for row in rows) for table, rows in found.items()}


def commands():
    """What the guide says to do, before and after DATABASE_URL is set, line by line."""
    block = re.search(r"Moving on to PostgreSQL later.*?```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    before, after = block[1].replace("\\\n", " ").split("# set DATABASE_URL and REDIS_URL\n")
    return before.splitlines(), after.splitlines()


def run_all(lines, address, folder):
    """These commands, one after the other."""
    for line in lines:
        run(line, address, folder)


def run(line, address, folder):
    """One command of the guide, on the database of this address."""
    assert line.startswith(f"{MANAGE} ")
    _python, program, *rest = shlex.split(line, comments=True)
    environment = {**os.environ, "DATABASE_URL": address}
    environment.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)
    done = subprocess.run(
        [sys.executable, ROOT / program, *rest], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def elsewhere(transactional_db, tmp_path):
    """The address of an empty database, of the kind that the tests run on."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}"
        return
    settings = connection.settings_dict
    name = f"{settings['NAME']}_elsewhere"
    with psycopg.connect(host=settings["HOST"], user=settings["USER"], dbname="postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' TEMPLATE template0")
        yield f"postgresql://{settings['USER']}@/{settings['HOST']}/{name}"
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def live_for_a_while():
    """Talks with files, offers, lists, people with their rights and states; types of files that were changed."""
    world = World("asked")
    world.orders.overflow_queue = world.returns
    world.orders.save()
    world.lead.user_permissions.add(Permission.objects.get(codename="view_queue"))
    LogEntry.objects.log_actions(world.supervisor.pk, [world.orders], ADDITION, change_message="Added.")
    FileType.objects.filter(extension="mp3").delete()
    FileType.objects.filter(extension="pdf").delete()
    make.closed_conversation(lead=world.lead, queue=world.orders, reason=world.reason, first_message="Grüße \\N 🙂 '")
    return FileType.objects.create(extension="pdf")


def test_every_row_comes_along_to_the_next_database(elsewhere, tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path / "files"
    added_anew = live_for_a_while()
    before = rows_of(database_url())
    assert len([table for table, rows in before.items() if rows]) > 15, "unknown: there was little to bring along"

    dump, load = commands()
    run_all(dump, database_url(), tmp_path)
    run_all(load, elsewhere, tmp_path)

    after = rows_of(elsewhere)
    assert {table: rows for table, rows in after.items() if rows != before[table]} == {}
    assert after.keys() == before.keys()
    # Numbers go on where they were.
    run(f'{MANAGE} shell -c "{NEXT_TYPE}"', elsewhere, tmp_path)
    last = max(int(re.match(r"\[(\d+)", row)[1]) for row in rows_of(elsewhere)["conversations_filetype"])
    assert last > added_anew.pk


@pytest.mark.only_on("postgresql")
def test_a_portal_on_sqlite_moves_on_to_postgresql(elsewhere, tmp_path):
    here, (dump, load) = f"sqlite:///{tmp_path / 'here.sqlite3'}", commands()
    run_all([f"{MANAGE} migrate", f"{MANAGE} demo", *dump], here, tmp_path)

    run_all(load, elsewhere, tmp_path)

    brought = json.loads((tmp_path / "livedesk.json").read_text(encoding="utf-8"))
    run_all(dump, elsewhere, tmp_path)
    assert len({row["model"] for row in brought}) > 10, "unknown: there was little to bring along"
    assert json.loads((tmp_path / "livedesk.json").read_text(encoding="utf-8")) == brought
