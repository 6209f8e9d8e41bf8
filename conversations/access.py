"""Who may read, write and supervise what. Not yours is the same as not there."""

from django.db.models import Exists, OuterRef, Q, Subquery, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, NullIf, Substr

from agents.models import Agent
from config.numbers import whole_number
from conversations import visitors
from conversations.errors import Gone
from conversations.models import Conversation, Message, Participant
from conversations.states import Role, State

LONGEST_FIRST_LINE = 120


def participation_of(agent: Agent, conversation_id: int) -> Participant:
    """The agent's open place in a conversation, with conversation and queue; raises Gone."""
    try:
        return Participant.objects.select_related("conversation__queue").get(
            conversation=conversation_id, agent=agent, left_at=None
        )
    except (Participant.DoesNotExist, OverflowError) as nothing:
        raise Gone from nothing


def conversation_of(token_hash: str) -> Conversation | None:
    """The visitor's latest conversation, open or ended."""
    mine = Conversation.objects.filter(visitor__token_hash=token_hash)
    return mine.select_related("queue", "visitor").order_by("-pk").first()


def conversation_in(cookie: str | None) -> Conversation | None:
    """The latest conversation of the visitor whose cookie this is."""
    token_hash = visitors.token_hash_in(cookie)
    return conversation_of(token_hash) if token_hash else None


def is_another(conversation: Conversation, named: str | None) -> bool:
    """Whether the visitor's page names another conversation than this; a page that names none shows the latest."""
    return named is not None and whole_number(named) != conversation.pk


def earlier_conversation(conversation: Conversation, named: str | None) -> Conversation | None:
    """Another conversation of the same visitor, by the number that his page names."""
    return Conversation.objects.filter(visitor=conversation.visitor_id, pk=whole_number(named) or 0).first()


def readable_by(agent: Agent, conversation_id: int) -> Conversation:
    """
    A conversation that the agent may read as a transcript; raises Gone.

    He took part in it, supervises, or serves its customer now (the same session, or the same email address).
    """
    conversations = Conversation.objects.select_related("queue", "closing_reason")
    if not agent.has_perm("conversations.supervise_conversation"):
        conversations = conversations.filter(_took_part(agent) | _serves_customer(agent))
    try:
        return conversations.get(pk=conversation_id)
    except (Conversation.DoesNotExist, OverflowError) as nothing:
        raise Gone from nothing


def earlier_of(conversation: Conversation, most: int, *, before: int | None = None) -> list[Conversation]:
    """
    The customer's earlier closed conversations, newest first: of this session, or with this email address.

    Each knows its `first_line` as agents see it, and the short name of its last lead as `served_by`.
    """
    same = Q(visitor=conversation.visitor_id)
    if conversation.visitor_email:
        same |= Q(visitor_email=conversation.visitor_email) & ~Q(visitor_email="")  # as the index says it
    first = Message.objects.filter(conversation=OuterRef("pk"), number=1)
    leads = Participant.objects.filter(conversation=OuterRef("pk"), role=Role.LEAD).order_by("-joined_at", "-pk")
    closed = Conversation.objects.filter(
        same, state=State.CLOSED, pk__lt=conversation.pk if before is None else before
    ).annotate(
        first_line=Substr(
            Subquery(first.values(seen=Coalesce(KT("details__for_agents"), "text"))), 1, LONGEST_FIRST_LINE
        ),
        served_by=Subquery(leads.values(name=Coalesce(NullIf("agent__first_name", Value("")), "agent__username"))[:1]),
    )
    return list(closed.select_related("queue", "closing_reason").order_by("-pk")[:most])


def _took_part(agent: Agent) -> Q:
    return Q(Exists(Participant.objects.filter(conversation=OuterRef("pk"), agent=agent)))


def _serves_customer(agent: Agent) -> Q:
    serving = Participant.objects.filter(agent=agent, left_at=None)
    same_session = serving.filter(conversation__visitor=OuterRef("visitor"))
    same_email = serving.filter(conversation__visitor_email=OuterRef("visitor_email"))
    return Q(Exists(same_session)) | (~Q(visitor_email="") & Q(Exists(same_email)))
