"""Stories of what becomes of a talk: it ends, goes to colleagues, is offered, or something of it is due."""

from conversations.actions import closing, conferences, deadlines, offers, presence, routing, transfers
from tests import make
from tests.proofs.changes import Stories, change

STORIES = Stories()
story = STORIES.of
# Open desks would say that she is there.
LUCIAS = ("lucia", "lucia's other tab")


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


@story(conferences.lose_guests, without=("jonas",))
def lose_guests(world):
    world.with_guest()
    yield
    presence.lose_agent(world.jonas.pk, grace_seconds=0)
    assert conferences.lose_guests(world.talk.pk)


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


@story(transfers.send_back)
def send_back(world):
    yield
    transfers.send_back(world.talk.pk, by=world.vera)


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
    change(world.talk, visitor_seen_at=make.ago(7200), is_visitor_here=False)
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
