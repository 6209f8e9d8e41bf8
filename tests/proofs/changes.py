"""
Every change of the portal as a story: what stands before it while the pages open, and then the change itself.

The list of changes is the code's own: the public functions of `conversations.actions` and `agents.actions`. Each of
them has a story here, or is named below as a part of one, or as a question that changes nothing.
"""

import datetime as dt
import inspect
import pkgutil
import secrets
from importlib import import_module

from agents import actions as agent_actions
from agents.states import AgentState
from conversations import actions
from conversations.actions import (
    closing,
    conferences,
    deadlines,
    files,
    messaging,
    offers,
    opening,
    presence,
    reading,
    routing,
    transfers,
)
from conversations.actions.messaging import Draft
from conversations.states import MessageKind, Party
from tests import make
from tests.files.samples import picture, upload
from tests.live.sockets import cookie_of, visitor_with_cookie

# Never called by a page, a command or a sweep, but by one of these stories, under its lock.
PARTS = {
    "closing.end_by_system": "presence.give_up_on_visitor",
    "closing.close_by_system": "deadlines.close_unattended",
    "files.to_post": "messaging.post with a file",
    "files.attach": "messaging.post with a file",
    "lines.write_event": "offers.accept",
    "lines.write_remark": "offers.tell_sender",
    "lines.write_note": "transfers.to_queue",
    "lines.announce_change": "every one",
    "lines.announce_line": "every one",
    "offers.make_locked": "offers.make",
    "offers.offer_to": "transfers.to_agent",
    "offers.withdraw_of": "closing.end_by_visitor",
    "offers.withdraw_all_of": "presence.withdraw_from_unavailable",
    "offers.settle": "offers.decline",
    "offers.touch": "transfers.cancel",
    "offers.lock_agent": "transfers.to_agent",
    "guests.let_go": "conferences.leave",
    "guests.end_conference": "closing.end with a guest",
    "leads.lock_for_lead": "closing.end",
    "leads.lock_active_for_lead": "transfers.to_agent",
    "leads.require_lead": "closing.end",
    "transfers.overflow": "deadlines.overflow",
    "agents.become_rona": "offers.miss",
    "agents.go_offline": "presence.lose_agent",
}
QUESTIONS = {
    "messaging.clean",
    "messaging.find_posted",
    "notes.clean_note",
    "guests.guests_of",
    "files.clean_handles",
    "opening.order_key",
    "opening.attended",
    "opening.is_attended",
    "opening.open_conversation_of",
    "presence.grace_of",
    "presence.is_silent",
    "reading.marks_for_visitor",
    "reading.marks_for_agents",
    "routing.candidates",
    "routing.free_agents",
    "routing.not_offered",
    "agents.gone_agents",
}


def name_of(function):
    """Its module's last word and its own: `closing.end`, `agents.sign_in`."""
    module = "agents" if function.__module__ == agent_actions.__name__ else function.__module__.rpartition(".")[2]
    return f"{module}.{function.__name__}"


def registry():
    """The name of every public function that the modules of actions define."""
    modules = [import_module(f"{actions.__name__}.{found.name}") for found in pkgutil.iter_modules(actions.__path__)]
    return {
        name_of(function)
        for module in [*modules, agent_actions]
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_") and function.__module__ == module.__name__
    }


class Story:
    """A change, told as a generator: before its `yield` what stands there, after it the change."""

    def __init__(self, door, tell, *, is_quiet=False, without=(), is_alone=False, ends_sockets=False, has_tabs=False):
        self.door, self.tell = door, tell
        self.is_quiet = is_quiet  # nothing of it shows on these pages, and nothing must move
        self.without = without  # pages that are not open meanwhile
        self.is_alone = is_alone  # it touches everything there is
        self.has_tabs = has_tabs  # more tabs of the agent and of the visitor are open
        self.ends_sockets = ends_sockets  # which the watch does, not a ring

    @property
    def name(self):
        return f"{name_of(self.door)}: {self.tell.__name__}"


STORIES = []
# Open desks would say that she is there.
LUCIAS = ("lucia", "lucia's other tab")


def story(door, **options):
    """Tell how this door changes what shows."""

    def keep(tell):
        STORIES.append(Story(door, tell, **options))
        return tell

    return keep


class World:
    """Two agents of a queue, a talk that one of them leads, and two visitors in line."""

    def __init__(self):
        self.lucia, self.jonas = make.agent("Lucía"), make.agent("Jonas")
        self.queue = make.queue("Orders", members=[self.lucia, self.jonas])
        self.returns = make.queue("Returns", members=[self.lucia])
        self.reason = make.closing_reason(self.queue, is_default=True)
        self.vera = make.supervisor()
        self.lunch = make.idle_reason()  # shows on every desk, so that all worlds have it before their pages open
        self.cookies = {"lucia": cookie_of(self.lucia), "jonas": cookie_of(self.jonas)}
        # Her own in each world: a customer's earlier conversations are found by the address.
        email = f"ana-{secrets.token_hex(4)}@example.com"
        talk = {"lead": self.lucia, "queue": self.queue, "visitor_email": email}
        self.talk = make.active_conversation(visitor=self._visitor("ana"), **talk)
        make.message(self.talk, "How can I help?", by=self.lucia)
        self.bea = self._waiting("Bea")
        self.carlos = make.waiting_conversation(
            queue=self.queue, visitor=self._visitor("carlos"), visitor_name="Carlos"
        )

    def _waiting(self, name):
        visitor = self._visitor(name.lower())
        return make.waiting_conversation(queue=self.queue, visitor=visitor, visitor_name=name)

    def _visitor(self, name):
        visitor, self.cookies[name] = visitor_with_cookie(name)
        return visitor

    def offered(self, **fields):
        """Bea's conversation is offered to Jonas."""
        return make.offer(to=self.jonas, conversation=self.bea, **fields)

    def transfer(self):
        return transfers.to_agent(self.talk.pk, self.jonas.pk, by=self.lucia, note="Please")

    def with_guest(self):
        offers.accept(conferences.invite(self.talk.pk, self.jonas.pk, by=self.lucia).pk, by=self.jonas)

    def say(self, text="Hello", *, by=None, **fields):
        sender = {"agent_id": by.pk, "sender": Party.AGENT} if by else {"sender": Party.VISITOR}
        return messaging.post(Draft(self.talk.pk, text=text, key=secrets.token_hex(8), **sender, **fields)).message

    @property
    def sender(self):
        return files.Sender(self.talk.pk, Party.VISITOR)


def change(row, **values):
    """What time, or somebody in admin, has done to this row."""
    type(row)._default_manager.filter(pk=row.pk).update(**values)


# Closing


@story(closing.end, has_tabs=True)
def end(world):
    yield
    closing.end(world.talk.pk, by=world.lucia)


@story(closing.end)
def end_with_a_guest(world):
    world.with_guest()
    yield
    closing.end(world.talk.pk, by=world.lucia)


@story(closing.end_by_visitor)
def end_by_visitor(world):
    yield
    closing.end_by_visitor(world.talk.pk)


@story(closing.end_by_visitor)
def leave_the_line(world):
    world.offered()
    yield
    closing.end_by_visitor(world.bea.pk)


@story(closing.finish)
def finish(world):
    closing.end(world.talk.pk, by=world.lucia)
    yield
    closing.finish(world.talk.pk, world.reason.pk, by=world.lucia, note="Sent again")


@story(closing.finish_by_supervisor)
def finish_by_supervisor(world):
    closing.end(world.talk.pk, by=world.lucia)
    yield
    closing.finish_by_supervisor(world.talk.pk, world.reason.pk, by=world.vera)


@story(closing.finish_automatically)
def finish_automatically(world):
    closing.end(world.talk.pk, by=world.lucia)
    change(world.talk, wrap_up_deadline=make.ago(1))
    yield
    assert closing.finish_automatically(world.talk.pk)


# Colleagues


@story(conferences.invite)
def invite(world):
    yield
    conferences.invite(world.talk.pk, world.jonas.pk, by=world.lucia, note="Please join")


@story(conferences.leave)
def leave(world):
    world.with_guest()
    yield
    conferences.leave(world.talk.pk, by=world.jonas)


@story(conferences.end)
def end_conference(world):
    world.with_guest()
    yield
    conferences.end(world.talk.pk, by=world.lucia)


@story(transfers.to_agent)
def to_agent(world):
    yield
    world.transfer()


@story(transfers.cancel, has_tabs=True)
def cancel(world):
    world.transfer()
    yield
    transfers.cancel(world.talk.pk, by=world.lucia)


@story(transfers.to_queue)
def to_queue(world):
    yield
    transfers.to_queue(world.talk.pk, world.returns.pk, by=world.lucia, note="A return")


@story(transfers.to_queue)
def to_its_own_queue(world):
    yield
    transfers.to_queue(world.talk.pk, world.queue.pk, by=world.lucia)


@story(transfers.replace_lost_lead, without=LUCIAS)
def replace_lost_lead(world):
    yield
    presence.lose_agent(world.lucia.pk, grace_seconds=0)
    assert transfers.replace_lost_lead(world.talk.pk)


@story(transfers.replace_lost_lead, without=LUCIAS)
def replace_lost_lead_by_a_guest(world):
    world.with_guest()
    yield
    presence.lose_agent(world.lucia.pk, grace_seconds=0)
    assert transfers.replace_lost_lead(world.talk.pk)


# Offers


@story(offers.make)
def make_offer(world):
    yield
    offers.make(world.bea.pk, to=world.jonas.pk)


@story(offers.accept)
def accept(world):
    offer = world.offered()
    yield
    offers.accept(offer.pk, by=world.jonas)


@story(offers.accept)
def accept_transfer(world):
    offer = world.transfer()
    yield
    offers.accept(offer.pk, by=world.jonas)


@story(offers.accept)
def accept_conference(world):
    offer = conferences.invite(world.talk.pk, world.jonas.pk, by=world.lucia)
    yield
    offers.accept(offer.pk, by=world.jonas)


@story(offers.decline)
def decline(world):
    offer = world.offered()
    yield
    offers.decline(offer.pk, by=world.jonas)


@story(offers.decline)
def decline_transfer(world):
    offer = world.transfer()
    yield
    offers.decline(offer.pk, by=world.jonas)


@story(offers.miss)
def miss(world):
    offer = world.offered(seconds=-1)
    yield
    assert offers.miss(offer.pk)


@story(offers.miss)
def miss_transfer(world):
    offer = world.transfer()
    change(offer, made_at=make.ago(60), expires_at=make.ago(1))
    yield
    assert offers.miss(offer.pk)


@story(offers.withdraw)
def withdraw(world):
    offer = world.offered()
    yield
    assert offers.withdraw(offer.pk)


@story(offers.tell_sender)
def tell_sender(world):
    offer = world.transfer()
    offers.decline(offer.pk, by=world.jonas)
    yield
    assert offers.tell_sender(offer.pk)


@story(routing.offer_next)
def offer_next(world):
    yield
    assert routing.offer_next(world.queue.pk)


@story(routing.route, is_alone=True)
def route(world):
    yield
    assert routing.route()


# What is due


@story(deadlines.sweep, is_alone=True)
def sweep(world):
    world.offered(seconds=-1)
    closing.end(world.talk.pk, by=world.lucia)
    change(world.talk, wrap_up_deadline=make.ago(1))
    yield
    assert deadlines.sweep() >= 2


@story(deadlines.overflow)
def overflow(world):
    change(world.queue, overflow_queue=world.returns, overflow_after_seconds=60)
    change(world.bea, entered_queue_at=make.ago(120))
    yield
    assert deadlines.overflow(world.bea.pk)


@story(deadlines.close_unattended)
def close_unattended(world):
    night = make.queue("Night")
    change(world.carlos, queue=night, entered_queue_at=make.ago(7200))
    yield
    assert deadlines.close_unattended(world.carlos.pk)


@story(presence.give_up_on_visitor, without=("ana",))
def give_up_on_visitor(world):
    yield
    change(world.talk, visitor_seen_at=make.ago(7200))
    assert presence.give_up_on_visitor(world.talk.pk)


@story(presence.ask_or_end_silent)
def ask_silent(world):
    change(world.queue, inactivity_limit_seconds=60)
    change(world.talk, last_message_at=make.ago(120))
    yield
    assert presence.ask_or_end_silent(world.talk.pk)


@story(presence.ask_or_end_silent)
def end_silent(world):
    change(world.queue, inactivity_limit_seconds=60)
    change(world.talk, last_message_at=make.ago(240), asked_if_there_at=make.ago(120))
    yield
    assert presence.ask_or_end_silent(world.talk.pk)


# Who is there; an open chat page would say itself that its visitor is


@story(presence.visitors_seen, without=("ana",))
def visitors_seen(world):
    presence.visitor_left(world.talk.pk)
    yield
    presence.visitors_seen([world.talk.pk])


@story(presence.visitor_came, without=("ana",))
def visitor_came(world):
    presence.visitor_left(world.talk.pk)
    yield
    presence.visitor_came(world.talk.pk)


@story(presence.visitor_left, without=("ana",))
def visitor_left(world):
    yield
    assert presence.visitor_left(world.talk.pk)


@story(presence.lose_agent)
def lose_agent(world):
    world.offered()
    yield
    assert presence.lose_agent(world.jonas.pk, grace_seconds=0)


@story(presence.withdraw_from_unavailable)
def withdraw_from_unavailable(world):
    world.offered()
    change(world.jonas, state=AgentState.IDLE)
    yield
    assert presence.withdraw_from_unavailable(world.jonas.pk)


@story(presence.sign_out)
def sign_out(world):
    yield
    presence.sign_out(world.jonas.pk, by=world.jonas)


# Agents


@story(agent_actions.become_available)
def become_available(world):
    change(world.jonas, state=AgentState.IDLE)
    yield
    agent_actions.become_available(world.jonas.pk, by=world.jonas)


@story(agent_actions.become_idle)
def become_idle(world):
    yield
    agent_actions.become_idle(world.jonas.pk, world.lunch.pk, by=world.jonas)


@story(agent_actions.sign_in)
def sign_in(world):
    yield
    change(world.jonas, state=AgentState.OFFLINE)
    agent_actions.sign_in(world.jonas.pk)


@story(agent_actions.sign_out, ends_sockets=True)
def sign_out_by_supervisor(world):
    yield
    agent_actions.sign_out(world.jonas.pk, by=world.vera)


@story(agent_actions.desks_seen, is_quiet=True)
def desks_seen(world):
    yield
    agent_actions.desks_seen([world.jonas.pk])


@story(agent_actions.desk_closed, is_quiet=True)
def desk_closed(world):
    yield
    agent_actions.desk_closed(world.jonas.pk)


# Messages, marks, files


@story(messaging.post, has_tabs=True)
def post_by_visitor(world):
    yield
    world.say("Any news?")


@story(messaging.post)
def post_by_agent(world):
    yield
    world.say("It is on its way", by=world.lucia)


@story(messaging.post, has_tabs=True)
def post_note(world):
    yield
    world.say("Only for us", by=world.lucia, kind=MessageKind.NOTE)


@story(messaging.post)
def post_in_line(world):
    world.offered()
    yield
    messaging.post(Draft(world.bea.pk, Party.VISITOR, "I can wait", secrets.token_hex(8)))


@story(messaging.post)
def post_file(world):
    attachment = files.upload(upload("box.png", picture()), world.sender)
    yield
    world.say("See this", files=(str(attachment.handle),))


@story(messaging.post_batch)
def post_batch(world):
    yield
    messaging.post_batch(
        [
            Draft(world.talk.pk, Party.VISITOR, "One", secrets.token_hex(8)),
            Draft(world.talk.pk, Party.AGENT, "Two", secrets.token_hex(8), world.lucia.pk),
            Draft(world.bea.pk, Party.VISITOR, "Three", secrets.token_hex(8)),
        ]
    )


@story(reading.marked_by_agent)
def marked_by_agent(world):
    yield
    reading.marked_by_agent(world.talk.pk, by=world.lucia, delivered=2, read=2)


@story(reading.marked_by_visitor, has_tabs=True)
def marked_by_visitor(world):
    yield
    reading.marked_by_visitor(world.talk.pk, delivered=2, read=1)


@story(reading.mark, has_tabs=True)
def mark(world):
    yield
    by_visitor, by_agent = {"delivered": 2, "read": 1}, {"delivered": 2, "read": 2, "agent_id": world.lucia.pk}
    reading.mark([reading.Mark(world.talk.pk, **by_visitor), reading.Mark(world.talk.pk, **by_agent)])


@story(files.upload, is_quiet=True)
def upload_file(world):
    yield
    files.upload(upload("box.png", picture()), world.sender)


@story(files.discard, is_quiet=True)
def discard(world):
    attachment = files.upload(upload("box.png", picture()), world.sender)
    yield
    files.discard(str(attachment.handle), world.sender)


@story(files.remove_stale, is_quiet=True)
def remove_stale(world):
    attachment = files.upload(upload("box.png", picture()), world.sender)
    change(attachment, created_at=make.ago(dt.timedelta(days=2).total_seconds()))
    yield
    assert files.remove_stale() >= 1


@story(files.settle_scan)
def settle_scan(world):
    attachment = files.upload(upload("box.png", picture()), world.sender)
    world.say("See this", files=(str(attachment.handle),))
    yield
    files.settle_scan(attachment.pk, is_clean=False)


@story(opening.open_conversation, is_quiet=True)
def open_conversation(world):
    yield
    words = {"name": "Dora", "email": "", "question": "Hello", "key": secrets.token_hex(8)}
    opening.open_conversation(world.queue.pk, opening.Opening(token_hash=secrets.token_hex(32), **words))


@story(opening.open_conversation)
def open_conversation_that_comes_first(world):
    change(world.queue, priority=9)
    for conversation in (world.bea, world.carlos):
        change(conversation, order_key=make.ago(0))
    change(world.queue, priority=1)
    yield
    words = {"name": "Dora", "email": "", "question": "Hello", "key": secrets.token_hex(8)}
    opening.open_conversation(world.queue.pk, opening.Opening(token_hash=secrets.token_hex(32), **words))
