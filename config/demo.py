"""The demo: three queues, three agents, a supervisor, and conversations of the last days to look at."""

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.crypto import get_random_string, salted_hmac

from agents.models import Agent, AgentStateChange, IdleReason
from agents.states import AgentState, ChangedBy
from config.clock import database_now
from config.demo_talks import NOTE, TALKS, VISITOR, Talk
from config.demo_templates import TEMPLATES
from conversations.actions.opening import order_key
from conversations.models import Conversation, Message, Offer, ReplyTemplate, Visitor
from conversations.states import EventKind, MessageKind, OfferState, Party, Role, State, SystemReason
from queues.models import ClosingReason, Queue, QueueMembership

PASSWORD = "livedesk"  # noqa: S105  the demo's own, printed for everyone who starts it
SUPERVISORS = "Supervisors"
ZONE = zoneinfo.ZoneInfo("Europe/Madrid")
IDLE_REASONS = ("Lunch", "Break", "Meeting", "Training")
ABANDONED = SystemReason.ABANDONED
BACK_AFTER_RONA = dt.timedelta(minutes=3)

# username: first name, last name, language, queues, lunch
AGENTS = {
    "lucia": ("Lucía", "Marín", "en", ("orders", "returns", "espanol"), "13:00"),
    "jonas": ("Jonas", "Brandt", "en", ("orders", "returns"), "14:00"),
    "sofia": ("Sofía", "Ruiz", "es", ("returns", "espanol"), "14:00"),
}
SIGN_INS = (*AGENTS, "vera")

# slug: name, greeting, when closed, when unattended, closing reasons (the first is the default)
QUEUES = {
    "orders": (
        "Orders",
        "Questions about an order, a payment or a delivery? We usually answer within a minute.",
        "We are closed right now. Please come back when we are open again.",
        "Nobody is at the desk right now. Please try again a little later.",
        ("Resolved", "Order changed", "Payment explained", "Passed to logistics", "Customer did not reply"),
    ),
    "returns": (
        "Returns",
        "Something does not fit or does not work? Tell us the order number and we will sort it out.",
        "We are closed right now. Please come back when we are open again.",
        "Nobody is at the desk right now. Please try again a little later.",
        ("Refund explained", "Return label sent", "Exchange arranged", "Warranty case", "Customer did not reply"),
    ),
    "espanol": (
        "Español",
        "¡Hola! Cuéntenos en qué podemos ayudarle. Solemos contestar en menos de un minuto.",
        "Ahora mismo estamos cerrados. Vuelva, por favor, cuando abramos de nuevo.",
        "Ahora mismo no hay nadie para atenderle. Inténtelo de nuevo un poco más tarde.",
        ("Resuelto", "Pedido modificado", "Información sobre envíos", "Devolución tramitada", "El cliente no responde"),
    ),
}


def has_data() -> bool:
    """Whether the database holds anything that somebody may care about; the demo never goes over it."""
    return any(model._default_manager.exists() for model in (Agent, Queue, Visitor, IdleReason))


@transaction.atomic
def load_demo() -> bool:
    """Load the demo into an empty database, all of it or nothing; False when there is data already."""
    if has_data():
        return False
    reasons = {name: IdleReason.objects.create(name=name, order=order) for order, name in enumerate(IDLE_REASONS, 1)}
    queues = {slug: _make_queue(slug) for slug in QUEUES}
    agents = {username: _make_agent(username, queues) for username in AGENTS}
    _make_supervisor()
    _make_templates(queues)
    today = database_now().astimezone(ZONE).date()
    for talk in sorted(TALKS, key=lambda talk: (-talk.days_ago, talk.at)):
        _Telling(talk, queues[talk.queue], agents, today).tell()
    for agent in agents.values():
        _tell_days_of(agent, reasons, today)
    return True


def _make_queue(slug: str) -> Queue:
    name, greeting, when_closed, when_unattended, labels = QUEUES[slug]
    queue = Queue.objects.create(
        name=name,
        slug=slug,
        greeting=greeting,
        message_when_closed=when_closed,
        message_when_unattended=when_unattended,
        time_zone=ZONE.key,
    )
    for order, label in enumerate(labels, 1):
        ClosingReason.objects.create(queue=queue, label=label, order=order, is_default=order == 1)
    return queue


def _make_agent(username: str, queues: dict[str, Queue]) -> Agent:
    first_name, last_name, language, slugs, _lunch = AGENTS[username]
    agent: Agent = Agent.objects.create_user(
        username,
        f"{username}@example.com",
        PASSWORD,
        first_name=first_name,
        last_name=last_name,
        language=language,
    )
    for slug in slugs:
        QueueMembership.objects.create(queue=queues[slug], agent=agent)
    return agent


def _make_supervisor() -> None:
    vera = Agent.objects.create_user(
        "vera", "vera@example.com", PASSWORD, first_name="Vera", last_name="Lindqvist", is_staff=True
    )
    vera.groups.set(Group.objects.filter(name=SUPERVISORS))


def _make_templates(queues: dict[str, Queue]) -> None:
    ReplyTemplate.objects.bulk_create(
        ReplyTemplate(title=title, shortcut=shortcut, queue=queues.get(slug), language=language, text=text)
        for title, shortcut, slug, language, text in TEMPLATES
    )


class _Telling:
    """Writes one conversation with everything that goes with it, in the order in which it happened."""

    def __init__(self, talk: Talk, queue: Queue, agents: dict[str, Agent], today: dt.date) -> None:
        self.talk = talk
        self.queue = queue
        self.agent = agents.get(talk.agent)
        self.missed_by = [agents[username] for username in talk.missed_by]
        self.queued_at = _wall(today, talk.days_ago, talk.at)
        self.timeout = dt.timedelta(seconds=queue.offer_timeout_seconds)
        offered_at = self.queued_at + self.timeout * len(self.missed_by)
        self.answered_at = offered_at + _seconds(talk.accepted_after) if self.agent else None
        self.last_line_at = self.queued_at + _seconds(sum(seconds for _, seconds, _ in talk.lines))
        self.ended_at = self.last_line_at + _seconds(talk.ended_after)
        self.closed_at = self.ended_at + _seconds(talk.closed_after) if self.agent else self.ended_at
        self.ended_by = Party.VISITOR if talk.ended_by_visitor or not self.agent else Party.AGENT
        self.ending = {"ended_by": self.ended_by, "remark": ""}

    def tell(self) -> None:
        self.conversation = self._make_conversation()
        self.conversation.log(EventKind.OPENED, at=self.queued_at, to_state=State.WAITING)
        self._make_offers()
        self._make_messages()
        if self.agent and self.answered_at:
            self._make_lead(self.agent, self.answered_at)
        self._finish()

    def _make_conversation(self) -> Conversation:
        talk = self.talk
        visitor = Visitor.objects.create(
            token_hash=salted_hmac("config.demo", get_random_string(32), algorithm="sha256").hexdigest(),
            name=talk.name,
            email=talk.email,
            created_at=self.queued_at,
        )
        return Conversation.objects.create(
            queue=self.queue,
            visitor=visitor,
            visitor_name=talk.name,
            visitor_email=talk.email,
            language=talk.language,
            page_address=talk.page,
            user_agent=talk.device,
            queued_at=self.queued_at,
            entered_queue_at=self.queued_at,
            order_key=order_key(self.queued_at, self.queue),
            visitor_seen_at=self.ended_at,
            is_visitor_here=False,
        )

    def _make_offers(self) -> None:
        made_at = self.queued_at
        for agent in self.missed_by:
            self._offer(agent, OfferState.MISSED, made_at, made_at + self.timeout)
            made_at += self.timeout
        if self.agent and self.answered_at:
            self._offer(self.agent, OfferState.ACCEPTED, made_at, self.answered_at)
            self.conversation.move_to(
                State.ACTIVE, kind=EventKind.JOINED, at=self.answered_at, by=self.agent, answered_at=self.answered_at
            )

    def _offer(self, agent: Agent, outcome: OfferState, made_at: dt.datetime, settled_at: dt.datetime) -> None:
        is_accepted = outcome == OfferState.ACCEPTED
        offer = Offer.objects.create(
            conversation=self.conversation,
            agent=agent,
            state=outcome,
            made_at=made_at,
            expires_at=made_at + self.timeout,
            settled_at=settled_at,
        )
        self.conversation.revision += 1
        self.conversation.log(EventKind.OFFER_MADE, at=made_at, agent=agent.pk, name=agent.name, offer=offer.pk)
        kind = EventKind.OFFER_ACCEPTED if is_accepted else EventKind.OFFER_MISSED
        self.conversation.log(kind, at=settled_at, by=agent if is_accepted else None, agent=agent.pk, offer=offer.pk)
        Agent.objects.filter(pk=agent.pk).update(last_offered_at=made_at)

    def _make_messages(self) -> None:
        messages = sorted(self._messages(), key=lambda message: message.created_at)
        for number, message in enumerate(messages, 1):
            message.number = number
            self._count(message)
        Message.objects.bulk_create(messages)
        self.conversation.save()

    def _messages(self) -> Iterator[Message]:
        at = self.queued_at
        for who, seconds, text in self.talk.lines:
            at += _seconds(seconds)
            yield Message(
                conversation=self.conversation,
                kind=MessageKind.NOTE if who == NOTE else MessageKind.TEXT,
                sender=Party.VISITOR if who == VISITOR else Party.AGENT,
                agent=None if who == VISITOR else self.agent,
                key=get_random_string(20),
                text=text,
                created_at=at,
            )
        if self.agent and self.answered_at:
            yield self._event(EventKind.JOINED, self.answered_at, name=self.agent.name)
        if self.ended_by == Party.AGENT and self.agent:
            yield self._event(EventKind.ENDED, self.ended_at, name=self.agent.name, **self.ending)
        elif self.agent:
            yield self._event(EventKind.ENDED, self.ended_at, **self.ending)
        else:
            yield self._event(EventKind.ENDED, self.ended_at, **self.ending, system_reason=ABANDONED)

    def _event(self, kind: EventKind, at: dt.datetime, **details: str) -> Message:
        return Message(
            conversation=self.conversation,
            kind=MessageKind.EVENT,
            sender=Party.SYSTEM,
            event=kind,
            details=details,
            created_at=at,
        )

    def _count(self, message: Message) -> None:
        conversation = self.conversation
        conversation.last_number = message.number
        if message.kind != MessageKind.NOTE:
            conversation.visitor_delivered_number = conversation.visitor_read_number = message.number
        if message.kind == MessageKind.TEXT:
            conversation.last_line, conversation.last_line_by = message.text[:120], message.sender
            conversation.last_message_at = message.created_at
        if message.sender == Party.VISITOR:
            conversation.visitor_count += 1
            conversation.visitor_spoke_at = message.created_at

    def _make_lead(self, agent: Agent, joined_at: dt.datetime) -> None:
        self.conversation.participants.create(
            agent=agent,
            role=Role.LEAD,
            joined_at=joined_at,
            left_at=self.closed_at,
            read_number=self.conversation.last_number,
            read_visitor_count=self.conversation.visitor_count,
            delivered_number=self.conversation.last_number,
        )

    def _finish(self) -> None:
        times = {"ended_at": self.ended_at, "ended_by": self.ended_by}
        if self.agent is None:
            self._close(None, details={"reason": "", "system_reason": ABANDONED}, system_reason=ABANDONED, **times)
            return
        ended_by = self.agent if self.ended_by == Party.AGENT else None
        self.conversation.move_to(
            State.WRAP_UP, kind=EventKind.ENDED, at=self.ended_at, by=ended_by, details=self.ending, **times
        )
        self._close(
            None if self.talk.is_automatic else self.agent,
            details={"reason": self.talk.reason, "system_reason": ""},
            closing_reason=self.queue.closing_reasons.get(label=self.talk.reason),
            wrap_up_note=self.talk.note,
            is_closed_automatically=self.talk.is_automatic,
        )

    def _close(self, by: Agent | None, **fields: Any) -> None:
        self.conversation.move_to(
            State.CLOSED, kind=EventKind.CLOSED, at=self.closed_at, by=by, closed_at=self.closed_at, **fields
        )


def _tell_days_of(agent: Agent, reasons: dict[str, IdleReason], today: dt.date) -> None:
    """The agent's state changes on the days of the conversations: sign-in, lunch, the meeting, missed offers, home."""
    lunch = AGENTS[agent.username][-1]
    steps: list[tuple[dt.datetime, AgentState, IdleReason | None, ChangedBy]] = []
    for days_ago in sorted({talk.days_ago for talk in TALKS}):
        for clock, minutes, state, reason in (
            ("08:54", 0, AgentState.IDLE, None),
            ("08:58", 0, AgentState.AVAILABLE, None),
            (lunch, 0, AgentState.IDLE, reasons["Lunch"]),
            (lunch, 45, AgentState.AVAILABLE, None),
            ("17:00", 0, AgentState.IDLE, reasons["Meeting"]),
            ("17:00", 30, AgentState.AVAILABLE, None),
            ("18:03", 0, AgentState.OFFLINE, None),
        ):
            at = _wall(today, days_ago, clock) + dt.timedelta(minutes=minutes)
            steps.append((at, state, reason, ChangedBy.SELF))
    for offer in agent.offers.filter(state=OfferState.MISSED):
        steps.append((offer.expires_at, AgentState.RONA, None, ChangedBy.SYSTEM))
        steps.append((offer.expires_at + BACK_AFTER_RONA, AgentState.AVAILABLE, None, ChangedBy.SELF))
    steps.sort(key=lambda step: step[0])
    before = [AgentState.OFFLINE, *(state for _, state, _, _ in steps)]
    AgentStateChange.objects.bulk_create(
        AgentStateChange(
            agent=agent,
            from_state=came_from,
            to_state=state,
            reason=reason,
            changed_by=changed_by,
            by=agent if changed_by == ChangedBy.SELF else None,
            at=at,
        )
        for came_from, (at, state, reason, changed_by) in zip(before, steps, strict=False)
    )
    agent.state_since = agent.seen_at = steps[-1][0]
    agent.save(update_fields=["state_since", "seen_at"])


def _wall(today: dt.date, days_ago: int, at: str) -> dt.datetime:
    day = today - dt.timedelta(days=days_ago)
    return dt.datetime.combine(day, dt.time.fromisoformat(at), tzinfo=ZONE).astimezone(dt.UTC)


def _seconds(number: int) -> dt.timedelta:
    return dt.timedelta(seconds=number)
