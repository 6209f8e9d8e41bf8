"""What the tests of conversations say about time and the line: who is asked now, who is gone, what is due."""

from conversations.actions import deadlines
from conversations.states import OfferState
from tests import make


def asked(conversation):
    """The agent who is asked for this conversation now."""
    offer = conversation.offers.filter(state=OfferState.PENDING).first()
    return offer and offer.agent


def change(row, **values):
    """Set the row's values behind the product's back, as time or another process would."""
    type(row)._default_manager.filter(pk=row.pk).update(**values)


def gone(agent):
    """No desk of the agent has been open for longer than the grace."""
    change(agent, seen_at=make.ago(61), connected_until=make.ago(61))


def sweep():
    """Whatever is due is done, and what follows from it."""
    while deadlines.sweep():
        pass
