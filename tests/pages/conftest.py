import pytest

from conversations import limits


@pytest.fixture(autouse=True)
def nothing_counted():
    """No test is slowed down by what another one sent."""
    limits.forget_all()
    yield
    limits.forget_all()
