"""The world in which the table of rights is tried."""

from functools import cache

from django.contrib.auth.hashers import make_password
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from agents.models import AgentStateChange
from config.clock import database_now
from conversations.actions import files
from conversations.actions.messaging import Draft, post
from conversations.models import ReplyTemplate, RestrictedWord
from conversations.states import MessageKind, OfferKind, Party
from tests import make
from tests.files import samples
from tests.pages.browsing import KEY, desk_of, newcomer, visitor_of
from tests.proofs.rights import FOREIGN_MARK, NOTE_MARK, ROLES, TALK_MARK

ENDED_LINE = "Goodbye then"
PASSWORD = "correct-horse"  # everybody's
LASTING_SECONDS = 3600  # no offer runs out while others are still being tried


@cache
def hashed_password():
    """Made once: it takes its time."""
    return make_password(PASSWORD)


class World:
    """Two talks that have nothing to do with each other, and everybody who could want something of them."""

    def __init__(self, given="talk"):
        self.orders, self.returns = make.queue("Orders"), make.queue("Returns")
        self.lead, self.guest = make.agent("Lucía", queues=[self.orders]), make.agent("Gaspar", queues=[self.orders])
        self.colleague = make.agent("Colin", queues=[self.orders])
        self.stranger = make.agent("Stella", queues=[self.returns])
        self.other_lead = make.agent("Olaf", queues=[self.returns])
        self.gone = make.agent("Dora", queues=[self.orders], is_active=True)
        self.supervisor, self.superuser = make.supervisor(state="idle"), make.superuser(state="idle")
        for person in filter(None, map(self.person, ROLES)):
            person.password = hashed_password()
            person.save(update_fields=["password"])
        self.talk = make.active_conversation(
            lead=self.lead, queue=self.orders, visitor_name=f"Ana {TALK_MARK}", guests=[self.guest] * (given != "alone")
        )
        self.foreign = make.active_conversation(
            lead=self.other_lead, queue=self.returns, visitor_name=f"Bo {FOREIGN_MARK}"
        )
        self.ended = make.closed_conversation(lead=self.other_lead, queue=self.returns, visitor_name="Cy Ended")
        self.write_lines()
        self.add_files()
        self.add_offers(given)
        self.add_lists()
        if given == "wrap_up":
            self.talk.state, self.talk.ended_at, self.talk.ended_by = "wrap_up", database_now(), Party.AGENT
            self.talk.save()
        self.cookies = {role: self.browser_of(role).cookies.output(header="", sep=";") for role in ROLES}
        self.gone.is_active = False
        self.gone.save(update_fields=["is_active"])
        self.names = self.identifiers()

    def write_lines(self):
        for number in range(3):
            make.message(self.talk, f"Line {number} {TALK_MARK}", by=self.lead if number % 2 else None)
        self.foreign_line = make.message(self.foreign, f"Line {FOREIGN_MARK}")
        make.note(self.ended, f"Between us: {NOTE_MARK}", by=self.other_lead)
        make.message(self.ended, ENDED_LINE, by=self.other_lead)
        self.note = make.note(self.talk, f"Between us: {NOTE_MARK}", by=self.lead)

    def add_files(self):
        self.file = self.uploaded(self.talk, "ticket.png")
        self.posted(self.talk, self.file)
        self.note_file = self.uploaded(self.talk, f"{NOTE_MARK}.png", by=self.lead)
        self.posted(self.talk, self.note_file, by=self.lead, kind=MessageKind.NOTE)
        self.visitors_draft = self.uploaded(self.talk, "not-yet.png")
        self.leads_draft = self.uploaded(self.talk, "not-yet-too.png", by=self.lead)
        self.foreign_file = self.uploaded(self.foreign, f"{FOREIGN_MARK}.png")
        self.posted(self.foreign, self.foreign_file)
        self.foreign_draft = self.uploaded(self.foreign, "foreign.png")

    def uploaded(self, conversation, name, *, by=None):
        party = Party.AGENT if by else Party.VISITOR
        sender = files.Sender(conversation.pk, party, by.pk if by else None)
        return files.upload(SimpleUploadedFile(name, samples.picture()), sender)

    def posted(self, conversation, attachment, *, by=None, kind=MessageKind.TEXT):
        party = Party.AGENT if by else Party.VISITOR
        agent_id = by.pk if by else None
        key = f"posted-{attachment.pk}"
        post(Draft(conversation.pk, party, "", key, agent_id, kind, (str(attachment.handle),)))
        conversation.refresh_from_db()

    def add_offers(self, given):
        waiting = make.waiting_conversation(queue=self.orders, visitor_name="Wil Waiting")
        elsewhere = make.waiting_conversation(queue=self.returns, visitor_name=f"Fay {FOREIGN_MARK}")
        lasting = {"seconds": LASTING_SECONDS}
        self.offer = make.offer(to=self.lead, conversation=waiting, **lasting)
        self.foreign_offer = make.offer(to=self.other_lead, conversation=elsewhere, **lasting)
        self.asked = None
        if given == "asked":
            self.asked = make.offer(to=self.colleague, conversation=self.talk, kind=OfferKind.CONFERENCE, **lasting)
            self.asked.made_by = self.lead
            self.asked.save()

    def add_lists(self):
        self.idle_reason = make.idle_reason()
        self.reason = make.closing_reason(self.orders, "Resolved", is_default=True)
        self.foreign_reason = make.closing_reason(self.returns, "Refunded")
        self.retired_queue = make.queue("Retired", is_in_use=False)
        self.retired_reason = make.closing_reason(self.orders, "As it was", is_in_use=False)
        self.retired_idle_reason = make.idle_reason("Siesta", is_in_use=False)
        ReplyTemplate.objects.create(title="Hello", text="Hello <customer name>")
        RestrictedWord.objects.get_or_create(word="guarantee")
        AgentStateChange.objects.create(
            agent=self.lead, from_state="idle", to_state="available", changed_by="self", at=database_now()
        )
        make.supervisors()
        make.file_types()

    def person(self, role):
        return {
            "agent_lead": self.lead, "agent_guest": self.guest, "agent_of_the_queue": self.colleague,
            "agent_of_another_queue": self.stranger, "disabled_agent": self.gone,
            "supervisor": self.supervisor, "superuser": self.superuser,
        }.get(role)  # fmt: skip

    def conversation_of(self, role):
        """What somebody's own page shows; staff look at the talk."""
        return {"visitor_b": self.foreign, "ended_visitor": self.ended}.get(role, self.talk)

    def browser_of(self, role):
        match role:
            case "anonymous":
                return Client()
            case "newcomer":
                return newcomer()
            case "visitor_a":
                return visitor_of(self.talk)
            case "visitor_b":
                return visitor_of(self.foreign)
            case "ended_visitor":
                return visitor_of(self.ended)
        return desk_of(self.person(role))

    def identifiers(self):
        """What stands for {words} in the table, and in addresses."""
        return {
            "key": KEY, "slug": self.orders.slug, "conversation": self.talk.pk, "conversation_id": self.talk.pk,
            "mine": self.talk.pk, "offer": self.offer.pk, "offer_id": self.offer.pk, "handle": self.file.handle,
            "note_file": self.note_file.handle, "visitors_draft": self.visitors_draft.handle,
            "leads_draft": self.leads_draft.handle, "colleague": self.colleague.pk, "returns": self.returns.pk,
            "reason": self.reason.pk, "idle_reason": self.idle_reason.pk, "id": self.lead.pk,
            "app_label": "agents", "url": "nothing-here/", "content_type_id": 1, "object_id": 1,
            "foreign_conversation": self.foreign.pk, "foreign_offer": self.foreign_offer.pk,
            "foreign_file": self.foreign_file.handle, "foreign_draft": self.foreign_draft.handle,
            "foreign_reason": self.foreign_reason.pk, "retired_reason": self.retired_reason.pk,
            "retired_queue": self.retired_queue.pk, "retired_slug": self.retired_queue.slug,
            "retired_idle_reason": self.retired_idle_reason.pk, "disabled_agent": self.gone.pk,
        }  # fmt: skip
