import pytest
from django.test import Client

from config import rates
from tests.pages.browsing import somewhere


@pytest.fixture(autouse=True)
def nothing_counted():
    """No test is slowed down by what another one sent."""
    rates.forget_all()
    yield
    rates.forget_all()


@pytest.fixture
def client():
    return Client(REMOTE_ADDR=somewhere())
