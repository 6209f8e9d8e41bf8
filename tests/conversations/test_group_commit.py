"""The writer of a process: it gathers messages, commits them together, and answers only then."""

import asyncio
import contextlib

import pytest
from django.db.utils import OperationalError

from conversations import writer as module
from conversations.actions.messaging import Draft, Posted
from conversations.errors import AlreadyEnded
from conversations.states import Party
from conversations.writer import Writer


def drafts(count):
    return [Draft(1, Party.VISITOR, f"{n}", f"key-number-{n}") for n in range(count)]


@contextlib.asynccontextmanager
async def running(store):
    """A writer whose database is this function of the batch."""
    writer = Writer()
    writer._store = store
    task = asyncio.create_task(writer.run())
    yield writer
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_arrives_during_a_commit_is_the_next_batch():
    batches, may_commit = [], asyncio.Event()

    async def store(batch):
        batches.append([draft.text for draft in batch])
        await may_commit.wait()
        return [Posted(draft) for draft in batch]

    async with running(store) as writer:
        first, *others = drafts(4)
        posts = [asyncio.create_task(writer.post(first))]
        while not batches:
            await asyncio.sleep(0)
        posts += [asyncio.create_task(writer.post(draft)) for draft in others]
        await asyncio.sleep(0)
        answered_early = [post.done() for post in posts]
        may_commit.set()
        answers = await asyncio.gather(*posts)

    assert answered_early == [False] * 4
    assert batches == [["0"], ["1", "2", "3"]]
    assert [answer.message.text for answer in answers] == ["0", "1", "2", "3"]


async def test_a_batch_is_bounded_and_the_rest_follows(monkeypatch):
    monkeypatch.setattr(module, "MOST_AT_ONCE", 2)
    batches = []

    async def store(batch):
        batches.append(len(batch))
        return [Posted(draft) for draft in batch]

    async with running(store) as writer:
        await asyncio.gather(*(writer.post(draft) for draft in drafts(5)))

    assert batches == [2, 2, 1]


async def test_a_refusal_is_the_answer_of_its_own_message():
    async def store(batch):
        return [AlreadyEnded() if draft.text == "1" else Posted(draft) for draft in batch]

    async with running(store) as writer:
        answers = await asyncio.gather(*(writer.post(draft) for draft in drafts(3)))

    assert [type(answer) for answer in answers] == [Posted, AlreadyEnded, Posted]


async def test_a_failing_batch_fails_its_senders_and_not_the_writer(caplog):
    fails = iter([True, False])

    async def store(batch):
        if next(fails):
            raise RuntimeError("no")
        return [Posted(draft) for draft in batch]

    async with running(store) as writer:
        with pytest.raises(RuntimeError):
            await writer.post(drafts(1)[0])
        answer = await writer.post(drafts(2)[1])

    assert isinstance(answer, Posted)
    assert "could not be stored" in caplog.text


async def test_a_sender_who_is_gone_does_not_stop_the_others():
    may_commit = asyncio.Event()

    async def store(batch):
        await may_commit.wait()
        return [Posted(draft) for draft in batch]

    async with running(store) as writer:
        gone, other = (asyncio.create_task(writer.post(draft)) for draft in drafts(2))
        await asyncio.sleep(0)
        gone.cancel()
        may_commit.set()
        answer = await other

    assert isinstance(answer, Posted)


async def test_a_database_that_is_away_for_a_moment_is_tried_again(monkeypatch):
    monkeypatch.setattr(module, "PAUSES", (0, 0))
    tries = []

    def store(batch):
        tries.append(len(batch))
        if len(tries) < 3:
            raise OperationalError("gone")
        return [Posted(draft) for draft in batch]

    monkeypatch.setattr(module, "post_batch", store)
    writer = Writer()
    task = asyncio.create_task(writer.run())

    answer = await writer.post(drafts(1)[0])

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert isinstance(answer, Posted)
    assert tries == [1, 1, 1]


async def test_a_database_that_stays_away_fails_the_sender(monkeypatch, caplog):
    monkeypatch.setattr(module, "PAUSES", (0,))

    def store(batch):
        raise OperationalError("gone")

    monkeypatch.setattr(module, "post_batch", store)
    writer = Writer()
    task = asyncio.create_task(writer.run())

    with pytest.raises(OperationalError):
        await writer.post(drafts(1)[0])

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "could not be stored" in caplog.text
