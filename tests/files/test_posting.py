"""A message with files: one of kind file, once per key, with the sender's own files only."""

import pytest

from conversations.actions import files
from conversations.actions.messaging import Draft, post, post_batch
from conversations.errors import FileRefused, Invalid, KeyUsedTwice, MessageRefused
from conversations.models import Attachment, Message
from conversations.states import MessageKind, Party, ScanState
from conversations.thread import Audience, after, last_page, lines, rendered
from tests import make
from tests.files import samples
from tests.files.samples import upload
from tests.pages.browsing import JSON, KEY, OTHER_KEY, Page, desk_of, everything, visitor_of
from tests.rows import fresh

pytestmark = pytest.mark.django_db


def uploaded(conversation, name="order.pdf", content=samples.PDF, agent=None):
    party = Party.AGENT if agent else Party.VISITOR
    sender = files.Sender(conversation.pk, party, agent.pk if agent else None)
    return str(files.upload(upload(name, content), sender).handle)


def by_visitor(conversation, *handles, text="", key=KEY):
    return Draft(conversation.pk, Party.VISITOR, text, key, files=handles)


def test_files_and_no_text_make_one_message():
    conversation = make.waiting_conversation()
    first, second = uploaded(conversation), uploaded(conversation, "screen.png", samples.picture())

    message = fresh(post(by_visitor(conversation, second, first)).message)

    assert (message.kind, message.text) == (MessageKind.FILE, "")
    (shown,) = lines(last_page(conversation, Audience.AGENTS)[-1:], Audience.AGENTS)
    assert [file.name for file in shown.files] == ["screen.png", "order.pdf"]
    assert fresh(conversation).last_line == "screen.png, order.pdf"


def test_the_same_key_and_files_are_the_same_message():
    conversation = make.waiting_conversation()
    first, second = uploaded(conversation), uploaded(conversation)
    sent = post(by_visitor(conversation, first, text="Here"))

    again = post(by_visitor(conversation, first, text="Here"))

    assert again.is_repeat and again.message.pk == sent.message.pk
    for other in (by_visitor(conversation, second, text="Here"), by_visitor(conversation, text="Here")):
        with pytest.raises(KeyUsedTwice):
            post(other)
    assert Attachment.objects.filter(message=None).count() == 1


def test_a_file_is_posted_once_and_only_by_its_sender():
    lucia = make.agent()
    conversation, other = make.active_conversation(lead=lucia), make.waiting_conversation()
    mine, theirs, elsewhere = uploaded(conversation), uploaded(conversation, agent=lucia), uploaded(other)
    unknown = "00000000-0000-4000-8000-000000000000"
    count = Message.objects.count()

    for handle in (theirs, elsewhere, unknown):
        with pytest.raises(FileRefused):
            post(by_visitor(conversation, handle, text="Here"))
    assert Message.objects.count() == count
    post(by_visitor(conversation, mine))
    with pytest.raises(FileRefused):
        post(by_visitor(conversation, mine, key=OTHER_KEY))


def test_two_messages_of_one_batch_do_not_share_a_file():
    conversation = make.waiting_conversation()
    handle = uploaded(conversation)

    first, second = post_batch([by_visitor(conversation, handle), by_visitor(conversation, handle, key=OTHER_KEY)])

    assert first.message.handles == [handle]
    assert isinstance(second, FileRefused)


def test_a_message_without_text_and_files_is_still_refused():
    with pytest.raises(MessageRefused):
        post(by_visitor(make.waiting_conversation()))


def test_a_refused_file_is_not_posted():
    conversation = make.waiting_conversation()
    handle = uploaded(conversation)
    Attachment.objects.update(scan_state=ScanState.REFUSED)

    with pytest.raises(FileRefused, match="refused by the virus check"):
        post(by_visitor(conversation, handle))


@pytest.mark.parametrize("handles", [["x"], [""], [5], [None], ["a" * 5000], [["a"]], [{}]])
def test_handles_that_are_none_are_refused(handles):
    with pytest.raises(Invalid):
        files.clean_handles(handles)


def test_a_message_has_only_so_many_files(settings):
    settings.FILES_PER_MESSAGE = 2

    with pytest.raises(Invalid, match="up to 2 files"):
        files.clean_handles([f"00000000-0000-4000-8000-00000000000{n}" for n in range(3)])


def test_a_notes_file_stays_among_agents():
    lucia = make.agent()
    conversation = make.active_conversation(lead=lucia)
    handle = uploaded(conversation, agent=lucia)

    post(Draft(conversation.pk, Party.AGENT, "", KEY, lucia.pk, MessageKind.NOTE, (handle,)))

    messages = after(fresh(conversation), 0)
    assert "order.pdf" in rendered.render(messages, Audience.AGENTS, "en")
    assert "order.pdf" not in rendered.render(messages, Audience.VISITOR, "en")


def test_names_are_escaped_in_the_thread():
    conversation = make.waiting_conversation()
    post(by_visitor(conversation, uploaded(conversation, "<img src=x onerror=alert(1)>.pdf")))

    html = rendered.render(after(fresh(conversation), 0), Audience.AGENTS, "en")

    assert "<img src=x" not in html and "&lt;img src=x" in html


def test_a_message_by_post_names_its_files():
    conversation = make.waiting_conversation()
    handle = uploaded(conversation)

    answer = visitor_of(conversation).post(
        "/chat/current/messages/", {"key": KEY, "text": "", "files": [handle]}, headers=JSON
    )

    assert answer.json()["frames"][0]["is"] == "posted"
    assert Attachment.objects.get().message is not None


def test_without_a_script_files_come_along_with_the_form(stored):
    conversation = make.waiting_conversation()
    visitor = visitor_of(conversation)
    page = Page(visitor.get("/chat/current/"))
    fields = page.fields("/chat/current/messages/")

    for _twice in range(2):
        form = {**fields, "text": "My photos", "files": [upload("a.pdf", samples.PDF), upload("b.txt", samples.TEXT)]}
        assert visitor.post("/chat/current/messages/", form).status_code == 302

    message = Message.objects.get(kind=MessageKind.FILE)
    assert [one.name for one in message.attachments.all()] == ["a.pdf", "b.txt"]
    assert len(stored()) == 2
    assert "a.pdf" in Page(visitor.get("/chat/current/thread/")).text


def test_without_a_script_a_refused_file_takes_the_others_with_it(stored, django_capture_on_commit_callbacks):
    conversation = make.waiting_conversation()
    form = {"key": KEY, "text": "x", "files": [upload("a.pdf", samples.PDF), upload("b.svg", samples.SVG)]}

    with django_capture_on_commit_callbacks(execute=True):
        response = visitor_of(conversation).post("/chat/current/messages/", form)

    assert response.status_code == 422
    assert "b.svg" in response.content.decode()
    assert not Attachment.objects.exists() and stored() == []


@pytest.mark.parametrize("sender", ["visitor", "agent"])
@pytest.mark.parametrize("key", ["short", "x" * 65, "12345678\n", "1234567\x00", "\x00", "ключ-ключ-ключ"])
def test_without_a_script_a_key_that_no_page_makes_is_refused_with_its_files(
    stored, django_capture_on_commit_callbacks, sender, key
):
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    client = visitor_of(conversation) if sender == "visitor" else desk_of(lucia)
    address = "/chat/current/messages/" if sender == "visitor" else f"/desk/conversations/{conversation.pk}/messages/"
    before = everything()

    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(address, {"key": key, "text": "x", "files": [upload("a.pdf", samples.PDF)]})

    assert response.status_code == 422
    assert "This message came without a valid key." in Page(response).text
    assert everything() == before
    assert not Attachment.objects.exists() and stored() == []


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 10**30])
def test_without_a_script_a_conversation_beyond_all_numbers_is_not_found(stored, number):
    form = {"key": KEY, "text": "x", "files": [upload("a.pdf", samples.PDF)]}

    response = desk_of(make.agent()).post(f"/desk/conversations/{number}/messages/", form)

    assert response.status_code == 404
    assert not Attachment.objects.exists() and stored() == []
