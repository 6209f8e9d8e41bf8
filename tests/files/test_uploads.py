"""Uploading and discarding over HTTP: who may, how much, how fast, and what each "no" answers."""

import datetime as dt
import json

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.clock import database_now
from conversations import file_types
from conversations.actions import files
from conversations.models import Attachment
from conversations.states import Party
from conversations.views.files import FORM_BYTES
from tests import make
from tests.files import samples
from tests.files.samples import upload
from tests.pages.browsing import JSON, desk_of, visitor_of

pytestmark = pytest.mark.django_db

CHAT = "/chat/current/files/"


def desk(conversation):
    return f"/desk/conversations/{conversation.pk}/files/"


def send(client, url, name="order.pdf", content=samples.PDF, field="file"):
    return client.post(url, {field: upload(name, content)}, headers=JSON)


@pytest.mark.parametrize("kept_in_memory", [0, 2**20])
def test_what_is_stored_is_readable_by_the_portals_own_account_alone(stored, own_folder, settings, kept_in_memory):
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = kept_in_memory

    send(visitor_of(make.waiting_conversation()), CHAT, "order.png", samples.picture())

    modes = {path.relative_to(own_folder): path.stat().st_mode & 0o777 for path in own_folder.rglob("*")}
    assert len(stored()) == 2, "unknown: no thumbnail was stored beside the file"
    assert own_folder.stat().st_mode & 0o777 == 0o700
    assert {mode for path, mode in modes.items() if (own_folder / path).is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if (own_folder / path).is_dir()} <= {0o700}


def test_a_visitor_uploads_and_learns_the_handle(stored):
    conversation = make.waiting_conversation()

    answer = send(visitor_of(conversation), CHAT, "../Order 48213.pdf").json()

    attachment = Attachment.objects.get()
    url = f"/files/{attachment.handle}/"
    assert answer == {
        "handle": str(attachment.handle),
        "name": "Order 48213.pdf",
        "size": len(samples.PDF),
        "kind": "PDF",
        "url": url,
        "thumbnail": None,
    }
    assert (attachment.sender, attachment.agent, attachment.message) == (Party.VISITOR, None, None)
    assert attachment.content_type == "application/pdf"
    assert stored() == [attachment.file.name]
    assert "order" not in attachment.file.name.lower() and "." not in attachment.file.name


def test_an_agent_uploads_a_picture_and_gets_a_thumbnail(stored):
    lucia = make.agent()
    conversation = make.active_conversation(lead=lucia)

    answer = send(desk_of(lucia), desk(conversation), "screen.png", samples.picture()).json()

    attachment = Attachment.objects.get()
    assert answer["thumbnail"] == f"/files/{attachment.handle}/thumbnail/"
    assert (attachment.agent, attachment.width, attachment.height) == (lucia, 60, 40)
    assert stored() == sorted([attachment.file.name, attachment.thumbnail.name])


@pytest.mark.parametrize(("name", "content", "words"), samples.BAD.values(), ids=samples.BAD)
def test_what_cannot_be_sent_leaves_nothing_behind(stored, name, content, words):
    response = send(visitor_of(make.waiting_conversation()), CHAT, name, content)

    assert response.status_code == 422
    # Django drops an empty file's name together with the file.
    assert words in response.json()["sentence"] or not content
    assert not Attachment.objects.exists()
    assert stored() == []


def test_a_body_that_is_too_large_is_refused_before_it_is_read(settings):
    settings.FILE_MEGABYTES = 1
    client = visitor_of(make.waiting_conversation())

    large = send(client, CHAT, content=b"%PDF-" + b"a" * (1_000_000 + FORM_BYTES))
    slightly = send(client, CHAT, content=b"%PDF-" + b"a" * 1_000_000)

    assert (large.status_code, slightly.status_code) == (413, 413)
    assert "larger than 1 MB" in large.json()["sentence"]
    assert "“order.pdf” is larger than 1 MB" in slightly.json()["sentence"]


def test_one_file_at_a_time():
    client = visitor_of(make.waiting_conversation())

    none = client.post(CHAT, {}, headers=JSON)
    two = client.post(CHAT, {"file": [upload("a.pdf", samples.PDF), upload("b.pdf", samples.PDF)]}, headers=JSON)

    assert (none.status_code, two.status_code) == (422, 422)
    assert not Attachment.objects.exists()


def test_who_has_no_conversation_uploads_nothing():
    lucia, jonas = make.agent("Lucía"), make.agent("Jonas")
    conversation = make.active_conversation(lead=lucia)
    ended = make.wrap_up_conversation(lead=lucia)

    assert send(Client(), CHAT).status_code == 404
    assert send(desk_of(jonas), desk(conversation)).status_code == 404
    assert send(Client(), desk(conversation)).status_code == 302
    assert send(desk_of(lucia), desk(ended)).status_code == 409
    assert send(visitor_of(ended), CHAT).status_code == 409
    assert desk_of(lucia).get(desk(conversation)).status_code == 405
    assert not Attachment.objects.exists()


def test_an_upload_needs_the_token():
    client = visitor_of(make.waiting_conversation(), enforce_csrf_checks=True)

    assert send(client, CHAT).status_code == 403


def test_a_conversation_has_only_so_many_files(settings):
    settings.FILES_PER_CONVERSATION = 2
    client = visitor_of(make.waiting_conversation())

    answers = [send(client, CHAT).status_code for _ in range(3)]

    assert answers == [200, 200, 422]


def test_a_conversation_has_only_so_many_megabytes(settings):
    settings.MEGABYTES_PER_CONVERSATION = 1
    client = visitor_of(make.waiting_conversation())

    answers = [send(client, CHAT, "a.txt", b"a" * 600_000).status_code for _ in range(2)]

    assert answers == [200, 422]


def test_many_files_in_a_minute_are_too_many(monkeypatch):
    monkeypatch.setattr("conversations.limits.UPLOADS_PER_MINUTE", 2)
    client = visitor_of(make.waiting_conversation())

    answers = [send(client, CHAT) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) > 0


def test_only_the_sender_discards_and_only_before_posting(stored, django_capture_on_commit_callbacks):
    lucia = make.agent()
    conversation = make.active_conversation(lead=lucia)
    visitor = visitor_of(conversation)
    handle = json.loads(send(visitor, CHAT).content)["handle"]

    assert desk_of(lucia).post(f"{desk(conversation)}{handle}/discard/").status_code == 404
    assert visitor_of(make.waiting_conversation()).post(f"{CHAT}{handle}/discard/").status_code == 404
    assert len(stored()) == 1
    with django_capture_on_commit_callbacks(execute=True):
        assert visitor.post(f"{CHAT}{handle}/discard/").status_code == 200
    assert visitor.post(f"{CHAT}{handle}/discard/").status_code == 404
    assert stored() == []


def test_what_was_never_posted_goes_after_a_day(stored, django_capture_on_commit_callbacks):
    client = visitor_of(make.waiting_conversation())
    send(client, CHAT)
    send(client, CHAT, "new.pdf")
    Attachment.objects.filter(name="order.pdf").update(created_at=database_now() - dt.timedelta(hours=25))

    with django_capture_on_commit_callbacks(execute=True):
        assert files.remove_stale() == 1

    assert [attachment.name for attachment in Attachment.objects.all()] == ["new.pdf"]
    assert len(stored()) == 1


@pytest.mark.parametrize("name", ["screen.png", "order.pdf"])
def test_nobody_waits_for_the_connection_of_who_uploads(monkeypatch, stored, name):
    given_back = []
    monkeypatch.setattr("conversations.files.let_go", lambda: given_back.append(len(connection.queries_log)))
    content = samples.picture() if name.endswith("png") else samples.PDF
    conversation = make.waiting_conversation()
    look, save, asked = file_types.fits, default_storage.save, []

    def note(work):
        def noted(*arguments):
            asked.append(len(connection.queries_log))
            return work(*arguments)

        return noted

    monkeypatch.setattr(file_types, "fits", note(look))
    monkeypatch.setattr(default_storage, "save", note(save))
    with CaptureQueriesContext(connection):
        assert send(visitor_of(conversation), CHAT, name, content).status_code == 200

    assert len(given_back) == 1
    assert asked and set(asked) == {given_back[0]}
