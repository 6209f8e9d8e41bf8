"""A portal with a missing or wrong setting does not start, and says in one sentence why."""

import os
import subprocess
import sys

import pytest

from config.environment import FEWEST_FOR_REQUESTS
from config.threads import KEPT_CONNECTIONS
from tests.portals import ROOT

GOOD = {
    "SECRET_KEY": "k" * 40,
    "ALLOWED_HOSTS": "desk.example.com",
    "DATABASE_URL": "postgresql://livedesk:password@db.example.com/livedesk",
    "REDIS_URL": "redis://redis.example.com/0",
}


def load(**environment):
    """Load the settings in a process of their own, with nothing else in its environment."""
    clean = {name: value for name, value in environment.items() if value is not None}
    return subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        cwd=ROOT, env={"PATH": os.environ["PATH"], **clean}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_complete_environment_is_enough():
    assert load(**GOOD).returncode == 0


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SECRET_KEY", None, "SECRET_KEY is missing; set it to at least 32 random characters."),
        ("SECRET_KEY", "short", "SECRET_KEY is too short; give it at least 32 random characters."),
        ("ALLOWED_HOSTS", None, "ALLOWED_HOSTS is missing; name the hosts that people use, like desk.example.com."),
        ("ALLOWED_HOSTS", " , ", "ALLOWED_HOSTS is missing; name the hosts that people use, like desk.example.com."),
        ("DATABASE_URL", None, "DATABASE_URL is missing; set it, like"),
        ("DATABASE_URL", "mysql://db.example.com/x", "DATABASE_URL names an unknown database;"),
        ("DATABASE_URL", "nonsense", "DATABASE_URL "),
        ("DATABASE_URL", "postgresql://db.example.com:port/x", "DATABASE_URL cannot be read"),
        ("REDIS_URL", None, "REDIS_URL is missing; several processes need it, like redis://127.0.0.1:6379/0."),
        ("REDIS_URL", "http://redis.example.com", "REDIS_URL cannot be read; it looks like"),
        ("DEBUG", "perhaps", "DEBUG is 'perhaps'; it takes 1 or 0."),
        ("TIME_ZONE", "Mars/Olympus", "TIME_ZONE is 'Mars/Olympus'; it takes the name of a zone, like Europe/Madrid."),
        ("LOG_LEVEL", "loud", "LOG_LEVEL is 'LOUD'; it takes one of DEBUG, INFO, WARNING, ERROR, CRITICAL."),
        ("CSRF_TRUSTED_ORIGINS", "desk.example.com", "CSRF_TRUSTED_ORIGINS has 'desk.example.com'; it takes whole"),
        ("MESSAGES_PER_MINUTE", "0", "MESSAGES_PER_MINUTE is '0'; it takes a whole number from 1 to 100000."),
        ("DATABASE_POOL", "many", "DATABASE_POOL is 'many'; it takes a whole number from 14 to 500."),
        ("DATABASE_POOL", "13", "DATABASE_POOL is '13'; it takes a whole number from 14 to 500."),
    ],
)
def test_a_missing_or_wrong_setting_is_one_sentence(name, value, sentence):
    loaded = load(**{**GOOD, name: value})

    last = loaded.stderr.strip().splitlines()[-1]
    assert loaded.returncode == 1
    assert last.startswith(f"django.core.exceptions.ImproperlyConfigured: {sentence}")
    assert "password" not in last.replace("livedesk:password@db.example.com", "")


def test_the_smallest_pool_has_connections_for_all_threads_and_some_requests():
    assert load(**GOOD, DATABASE_POOL=str(KEPT_CONNECTIONS + FEWEST_FOR_REQUESTS)).returncode == 0


def test_embedded_needs_nothing_and_keeps_its_own_key(tmp_path):
    for _ in range(2):
        assert load(LIVEDESK_EMBEDDED="1", LIVEDESK_DATA=str(tmp_path)).returncode == 0

    key = tmp_path / "secret-key"
    assert len(key.read_text(encoding="ascii")) >= 32
    assert key.stat().st_mode & 0o077 == 0
