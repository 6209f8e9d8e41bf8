"""How long the proofs run (`make soak`), by what chance (`SEED=` replays one), and where their files go."""

import os
import secrets

import pytest

from tests.proofs.places import Others

OTHERS = "others use this machine"


@pytest.fixture(scope="session")
def soak():
    """Whether this is the long version."""
    return os.environ.get("LIVEDESK_SOAK") == "1"


@pytest.fixture
def seed():
    """What every choice of the proof comes from; pytest shows it with a failure."""
    chosen = int(os.environ.get("SEED") or secrets.randbelow(2**32))
    print(f"SEED={chosen}")
    return chosen


@pytest.fixture(autouse=True)
def others():
    """Seconds are judged by what others left of the machine when the test began."""
    Others.look()
    if Others.patience > 1.05:
        print(f"{OTHERS}: seconds may be {Others.patience:.1f} times as many")


@pytest.fixture
def own_folder(settings, tmp_path):
    """Files that a proof uploads go where no other test looks."""
    settings.MEDIA_ROOT = tmp_path


def pytest_terminal_summary(terminalreporter):
    """What the proofs measured, for whoever reads the run."""
    told = [(report.nodeid, measured(report)) for report in terminalreporter.getreports("passed")]
    told = [(name.rpartition("/")[2], lines) for name, lines in told if lines and "proofs/" in name]
    if told:
        terminalreporter.section("measured")
    for name, lines in told:
        terminalreporter.write_line(name)
        for line in lines:
            terminalreporter.write_line(f"    {line}")


def measured(report):
    """The lines that a test printed while it ran."""
    lines = report.capstdout.splitlines() if report.when == "call" else []
    lines = [line for line in lines if line and not line.startswith("SEED=")]
    return lines if any(not line.startswith(OTHERS) for line in lines) else []
