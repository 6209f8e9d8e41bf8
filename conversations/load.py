"""Load: the places of an agent that are taken."""

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from agents.models import Agent
from conversations.models import Offer, Participant
from conversations.states import OfferState


def with_load(agents: QuerySet[Agent]) -> QuerySet[Agent]:
    """
    Annotate `load`: open participations (active and wrap-up) and pending offers.

    One statement counts both, so that an accept between two counts can hide no place.
    """
    places = Participant.objects.filter(agent=OuterRef("pk"), left_at=None).order_by().values("agent")
    offers = Offer.objects.filter(agent=OuterRef("pk"), state=OfferState.PENDING).order_by().values("agent")
    number = IntegerField()
    return agents.annotate(
        load=Coalesce(Subquery(places.annotate(n=Count("pk")).values("n"), output_field=number), 0)
        + Coalesce(Subquery(offers.annotate(n=Count("pk")).values("n"), output_field=number), 0)
    )


def load_of(agent: Agent) -> int:
    """How many places of this agent are taken now."""
    load: int = with_load(Agent.objects.filter(pk=agent.pk)).values_list("load", flat=True).get()  # type: ignore[misc]
    return load
