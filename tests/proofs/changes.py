"""
Every change of the portal as a story: what stands before it while the pages open, and then the change itself.

The list of changes is the code's own: the public functions of `conversations.actions` and `agents.actions`. Each of
them has a story in one of the modules that stories.py joins, or is named below as a part of one, or as a question that
changes nothing.
"""

import functools
import inspect
import pkgutil
import re
import secrets
import sys
from collections import defaultdict
from contextvars import ContextVar
from importlib import import_module

from agents import actions as agent_actions
from conversations import actions
from conversations.actions import conferences, files, messaging, offers, transfers
from conversations.actions.messaging import Draft
from conversations.states import Party
from tests import make
from tests.live.sockets import cookie_of, visitor_with_cookie
from tests.portals import ROOT

OURS = ("agents", "config", "conversations", "queues")
# Called by no page, command or sweep, but by the change of this story (and others), under its lock.
PARTS = {
    "closing.end_by_system": "give_up_on_visitor",
    "closing.close_by_system": "close_unattended",
    "files.to_post": "post_file",
    "files.attach": "post_file",
    "lines.write_event": "accept",
    "lines.write_remark": "tell_sender",
    "lines.write_note": "to_queue",
    "lines.announce_change": "finish",
    "lines.announce_line": "decline",
    "offers.make_locked": "offer_next",
    "offers.offer_to": "to_agent",
    "offers.withdraw_of": "leave_the_line",
    "offers.withdraw_all_of": "withdraw_from_unavailable",
    "offers.settle": "decline",
    "offers.touch": "cancel",
    "offers.lock_agent": "make_offer",
    "guests.let_go": "leave",
    "guests.end_conference": "end_with_a_guest",
    "leads.lock_for_lead": "end",
    "leads.lock_active_for_lead": "to_agent",
    "leads.require_lead": "end_conference",
    "transfers.overflow": "overflow",
    "agents.become_rona": "miss",
    "agents.go_offline": "lose_agent",
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
    "presence.given_up_at",
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


# The story whose change is told in this thread now.
telling_now = ContextVar("telling_now", default=None)


def tell(story, telling):
    """The change of a story that stands before its `yield`."""
    now = telling_now.set(story.tell.__name__)
    try:
        next(telling, None)
    finally:
        telling_now.reset(now)


def count_parts(monkeypatch):
    """Note from now on which parts the change of each story calls, by whatever name a module knows them."""
    calls = defaultdict(set)
    parts = {part_named(name): name for name in PARTS}
    for module in [module for name, module in sys.modules.items() if name.split(".")[0] in OURS]:
        for known_as, value in list(vars(module).items()):
            if inspect.isfunction(value) and value in parts:
                monkeypatch.setattr(module, known_as, noting(value, parts[value], calls))
    return calls


def noting(function, name, calls):
    @functools.wraps(function)
    def noted(*arguments, **named):
        calls[telling_now.get()].add(name)
        return function(*arguments, **named)

    return noted


def part_named(name):
    module, _, function = name.partition(".")
    return getattr(agent_actions if module == "agents" else import_module(f"{actions.__name__}.{module}"), function)


def called_from_outside():
    """The parts that a module names which is none of actions."""
    return [
        f"{file}: {name}"
        for app in OURS
        for file in sorted((ROOT / app).rglob("*.py"))
        if file != ROOT / "agents" / "actions.py" and "actions" not in file.parent.parts
        for name in PARTS
        if re.search(rf"\b{re.escape(name)}\b|actions.* import .*\b{name.partition('.')[2]}\b", file.read_text("utf-8"))
    ]


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


class Stories(list):
    """The stories of one module, in the order in which they are written there."""

    def of(self, door, **options):
        """Tell how this door changes what shows."""

        def keep(tell):
            self.append(Story(door, tell, **options))
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
