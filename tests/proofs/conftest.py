"""How long the proofs run, and by what chance: `make soak` makes them long, `SEED=` replays one."""

import os
import secrets

import pytest


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
