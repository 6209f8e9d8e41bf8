"""The portal's numbers for Prometheus, read from the database at each scrape in a handful of queries."""

import logging
from collections.abc import Iterable

from django.db import DatabaseError
from django.db.models import Count, Exists, Min, OuterRef, Q
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agents.models import Agent
from agents.states import AgentState
from config.clock import database_now
from config.metrics import registry
from conversations.models import Conversation
from conversations.states import State
from queues.models import Queue, QueueMembership

logger = logging.getLogger(__name__)


class Figures(Collector):
    """Waiting conversations and the longest wait by queue, active ones, and agents by state."""

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: being registered must not ask the database."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Nothing when the database is away: the process's own numbers are still worth having."""
        try:
            return [*_queues(), _agents()]
        except DatabaseError as problem:
            logger.warning("The portal's numbers could not be read (%s).", type(problem).__name__)
            return []


def _queues() -> list[Metric]:
    waiting = GaugeMetricFamily("livedesk_waiting", "Conversations that wait.", labels=["queue"])
    longest = GaugeMetricFamily(
        "livedesk_longest_wait_seconds", "Since the first of the line queued.", labels=["queue"]
    )
    active = GaugeMetricFamily("livedesk_active", "Conversations that are served.", labels=["queue"])
    now = database_now()
    open_ones = Conversation.objects.unfinished().order_by()
    rows = open_ones.values("queue", "state").annotate(n=Count("pk"), first=Min("queued_at"))
    found = {(row["queue"], row["state"]): row for row in rows}
    unfinished = {queue for queue, _state in found}  # in a queue that takes no more there may still be some
    for queue in Queue.objects.filter(Q(is_in_use=True) | Q(pk__in=unfinished)).order_by("slug"):
        row = found.get((queue.pk, State.WAITING))
        waiting.add_metric([queue.slug], row["n"] if row else 0)
        longest.add_metric([queue.slug], (now - row["first"]).total_seconds() if row else 0)
        active.add_metric([queue.slug], found.get((queue.pk, State.ACTIVE), {"n": 0})["n"])
    return [waiting, longest, active]


def _agents() -> Metric:
    agents = GaugeMetricFamily("livedesk_agents", "Agents who serve a queue, by state.", labels=["state"])
    serving = Agent.objects.filter(Exists(QueueMembership.objects.filter(agent=OuterRef("pk"))), is_active=True)
    counts = dict(serving.order_by().values_list("state").annotate(n=Count("pk")))
    for state in AgentState:
        agents.add_metric([state.value], counts.get(state.value, 0))
    return agents


_figures = Figures()
_registered: set[Collector] = set()


def register() -> None:
    """Let the figures be scraped; a second call changes nothing."""
    if _figures not in _registered:
        _registered.add(_figures)
        registry.register(_figures)
