"""What the probes say, and what of it stands in the log."""

import logging
import time

import pytest
from django.test import Client

from config.health import Health, health


@pytest.fixture
def readiness(monkeypatch, settings):
    """The health of a process that has just started, without a line to others."""
    settings.REDIS_URL = ""
    for name, value in vars(Health()).items():
        monkeypatch.setattr(health, name, value)
    return health


def test_a_change_of_readiness_is_logged_once_however_often_somebody_asks(readiness, caplog):
    statuses = []
    with caplog.at_level(logging.INFO):
        for is_swept in (False, False, True, True):
            readiness.swept_at = time.monotonic() if is_swept else None
            statuses.append(Client().get("/readyz").status_code)

    assert statuses == [503, 503, 200, 200]
    assert [(line.levelname, line.getMessage()) for line in caplog.records] == [
        ("WARNING", "Not ready: router and database."),
        ("INFO", "Ready again."),
    ]


@pytest.mark.django_db
def test_what_is_not_there_is_still_logged(caplog):
    Client().get("/nothing-here/")

    assert [line.getMessage() for line in caplog.records] == ["Not Found: /nothing-here/"]
