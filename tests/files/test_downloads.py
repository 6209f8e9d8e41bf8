"""Handing files out: to who may read the conversation now, and never so that a browser would run them."""

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test import AsyncClient, Client

from conversations.actions import files
from conversations.actions.messaging import Draft, post
from conversations.models import Attachment
from conversations.states import MessageKind, Party
from tests import make
from tests.files import samples
from tests.files.samples import upload
from tests.pages.browsing import KEY, desk_of, visitor_of

pytestmark = pytest.mark.django_db


def posted(conversation, name="order.pdf", content=samples.PDF, *, agent=None, kind=MessageKind.TEXT):
    party, agent_id = (Party.AGENT, agent.pk) if agent else (Party.VISITOR, None)
    handle = str(files.upload(upload(name, content), files.Sender(conversation.pk, party, agent_id)).handle)
    post(Draft(conversation.pk, party, "", f"{KEY}-{handle[:8]}", agent_id, kind, (handle,)))
    return f"/files/{handle}/"


def body(response):
    return b"".join(response.streaming_content)


def test_a_file_comes_as_a_download_that_nothing_runs():
    conversation = make.waiting_conversation()
    url = posted(conversation, "Évora 1.pdf")

    response = visitor_of(conversation).get(url)

    assert body(response) == samples.PDF
    assert response.headers["Content-Disposition"] == "attachment; filename*=utf-8''%C3%89vora%201.pdf"
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "sandbox; default-src 'none'; frame-ancestors 'none'"
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["Content-Length"] == str(len(samples.PDF))


def test_a_thumbnail_comes_as_safely():
    conversation = make.waiting_conversation()
    visitor = visitor_of(conversation)

    picture = visitor.get(posted(conversation, "a.png", samples.picture()) + "thumbnail/")
    none = visitor.get(posted(conversation) + "thumbnail/")

    assert body(picture)[8:12] == b"WEBP"
    assert picture.headers["Content-Type"] == "image/webp"
    assert picture.headers["Content-Disposition"] == 'attachment; filename="a.webp"'
    assert picture.headers["Content-Security-Policy"] == "sandbox; default-src 'none'; frame-ancestors 'none'"
    assert none.status_code == 404


def test_only_readers_of_the_conversation_get_its_files():
    lucia, jonas, vera = make.agent("Lucía"), make.agent("Jonas"), make.supervisor("Vera")
    conversation, other = make.active_conversation(lead=lucia), make.active_conversation(lead=jonas)
    url = posted(conversation)

    def status(client):
        response = client.get(url)
        if response.streaming:
            body(response)
        return response.status_code

    assert [status(client) for client in (visitor_of(conversation), desk_of(lucia), desk_of(vera))] == [200] * 3
    assert [status(client) for client in (visitor_of(other), desk_of(jonas), Client())] == [404] * 3
    assert Client().get("/files/00000000-0000-4000-8000-000000000000/").status_code == 404
    assert Client().get("/files/../settings.py").status_code == 404


@pytest.mark.parametrize("which", ["", "thumbnail/"])
def test_a_file_whose_bytes_are_gone_is_not_there(which, caplog):
    conversation = make.waiting_conversation()
    attachment = files.upload(upload("a.png", samples.picture()), files.Sender(conversation.pk, Party.VISITOR))
    for stored in (attachment.file, attachment.thumbnail):
        stored.storage.delete(stored.name)

    response = visitor_of(conversation).get(f"/files/{attachment.handle}/{which}")

    assert response.status_code == 404
    assert "is missing" in caplog.text


def test_a_notes_file_is_not_the_visitors():
    lucia = make.agent()
    conversation = make.active_conversation(lead=lucia)
    url = posted(conversation, agent=lucia, kind=MessageKind.NOTE)

    assert visitor_of(conversation).get(url).status_code == 404
    assert body(desk_of(lucia).get(url)) == samples.PDF


def test_what_is_not_posted_yet_is_only_its_senders():
    lucia, jonas = make.agent("Lucía"), make.agent("Jonas")
    conversation = make.active_conversation(lead=lucia, guests=[jonas])
    handle = files.upload(upload("a.pdf", samples.PDF), files.Sender(conversation.pk, Party.AGENT, lucia.pk)).handle

    statuses = [
        client.get(f"/files/{handle}/") for client in (desk_of(lucia), desk_of(jonas), visitor_of(conversation))
    ]

    assert [response.status_code for response in statuses] == [200, 404, 404]
    assert body(statuses[0]) == samples.PDF


@pytest.mark.django_db(transaction=True)
async def test_a_large_file_is_read_piece_by_piece_under_asgi(monkeypatch):
    content = b"%PDF-" + b"x" * 200_000

    def made():
        make.file_types()
        conversation = make.waiting_conversation()
        return posted(conversation, "a.pdf", content), visitor_of(conversation).cookies

    url, cookies = await sync_to_async(made)()
    client = AsyncClient()
    client.cookies = cookies
    response = await client.get(url)

    pieces = [piece async for piece in response]

    assert b"".join(pieces) == content
    assert len(pieces) > 2
    response.close()


def test_the_stored_files_are_under_no_address_of_their_own():
    conversation = make.waiting_conversation()
    posted(conversation)
    name = Attachment.objects.get().file.name

    for place in ("files", "media", "static"):
        assert visitor_of(conversation).get(f"/{place}/{name}").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_download_holds_no_connection_to_the_database():
    conversation = make.waiting_conversation()
    visitor, url = visitor_of(conversation), posted(conversation)

    response = visitor.get(url)

    assert connection.connection is None
    assert body(response) == samples.PDF
