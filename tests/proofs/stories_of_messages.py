"""Stories of what is written (a first question too), marked and uploaded."""

import datetime as dt
import secrets

from conversations.actions import files, messaging, opening, reading
from conversations.actions.messaging import Draft
from conversations.states import MessageKind, Party
from tests import make
from tests.files.samples import picture, upload
from tests.proofs.changes import Stories, change

STORIES = Stories()
story = STORIES.of


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
