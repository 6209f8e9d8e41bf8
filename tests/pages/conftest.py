import pytest

from config import rates


@pytest.fixture(autouse=True)
def nothing_counted():
    """No test is slowed down by what another one sent."""
    rates.forget_all()
    yield
    rates.forget_all()
