"""What a refusal must leave alone: every row that an action could write."""

from contextlib import contextmanager

import pytest

from agents.models import Agent, AgentStateChange
from conversations.models import Conversation, ConversationEvent, Message, Offer, Participant, Visitor

TABLES = (Agent, AgentStateChange, Visitor, Conversation, Participant, Offer, Message, ConversationEvent)


def rows():
    """Every row of every table that actions write."""
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in TABLES}


@contextmanager
def nothing_changes():
    """What happens inside leaves every row as it was."""
    before = rows()
    yield
    assert rows() == before


@contextmanager
def refuses(error):
    """What happens inside is refused with exactly this error, says so in a sentence, and changes nothing."""
    with nothing_changes(), pytest.raises(error) as caught:
        yield caught
    assert type(caught.value) is error
    assert str(caught.value)


def fresh(row):
    """The row as the database has it now."""
    return type(row)._default_manager.get(pk=row.pk)
