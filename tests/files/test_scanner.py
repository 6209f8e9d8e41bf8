"""The virus check: unanswered, clean, infected, away and back; against a clamd of our own on this machine."""

import datetime as dt
import socketserver
import threading

import pytest

from config.clock import database_now
from conversations import scanner
from conversations.actions import files
from conversations.actions.messaging import Draft, post
from conversations.file_lines import draw_files
from conversations.models import Attachment
from conversations.scanner import Clamav, ScannerAway, age_of_try, check_waiting, configured
from conversations.states import Party, ScanState
from conversations.thread import Audience, after, rendered
from tests import make
from tests.files import samples
from tests.files.samples import upload
from tests.pages.browsing import KEY, Page, desk_of, visitor_of
from tests.rows import fresh

pytestmark = pytest.mark.django_db

INFECTED = b"%PDF-1.7 this is infected"


class Clamd(socketserver.ThreadingTCPServer):
    """Speaks INSTREAM: what says that it is infected is."""

    daemon_threads = True
    allow_reuse_address = True
    answer = None


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        assert self.rfile.read(10) == b"zINSTREAM\0"
        content = b""
        while size := int.from_bytes(self.rfile.read(4), "big"):
            content += self.rfile.read(size)
        verdict = b"stream: Test-Signature FOUND\0" if b"infected" in content else b"stream: OK\0"
        self.wfile.write(self.server.answer if self.server.answer is not None else verdict)


@pytest.fixture
def clamd(settings):
    with Clamd(("127.0.0.1", 0), Session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        settings.FILE_SCANNER = f"clamav://127.0.0.1:{server.server_address[1]}"
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def away(settings):
    """A scanner that nobody runs."""
    settings.FILE_SCANNER = "clamav://127.0.0.1:1"


def posted(name="order.pdf", content=samples.PDF):
    conversation = make.active_conversation()
    handle = str(files.upload(upload(name, content), files.Sender(conversation.pk, Party.VISITOR)).handle)
    post(Draft(conversation.pk, Party.VISITOR, "", KEY, files=(handle,)))
    return fresh(conversation), f"/files/{handle}/"


def line_of(conversation):
    return rendered.render(after(conversation, 0)[-1:], Audience.AGENTS, "en")


def state():
    return Attachment.objects.get().scan_state


def test_without_a_scanner_nothing_waits():
    assert configured() is None
    _conversation, _url = posted()
    assert state() == ScanState.CLEAN


def test_a_file_shows_as_being_checked_until_the_answer(clamd, django_capture_on_commit_callbacks):
    conversation, url = posted("screen.png", samples.picture())
    agent = desk_of(conversation.participants.get().agent)

    assert "Being checked for viruses" in line_of(conversation)
    assert url not in line_of(conversation) and "<img" not in line_of(conversation)
    assert [client.get(url).status_code for client in (agent, visitor_of(conversation))] == [409, 409]
    assert agent.get(url + "thumbnail/").status_code == 409

    assert check_waiting(configured()) == 1

    assert state() == ScanState.CLEAN
    assert "<img" in line_of(conversation)
    assert fresh(conversation).revision == conversation.revision + 1
    response = agent.get(url)
    assert b"".join(response.streaming_content) == samples.picture()


def test_an_infected_file_is_deleted_and_says_so(clamd, stored, django_capture_on_commit_callbacks):
    conversation, url = posted(content=INFECTED)

    with django_capture_on_commit_callbacks(execute=True):
        assert check_waiting(configured()) == 1

    assert state() == ScanState.REFUSED
    assert stored() == []
    assert "Refused by the virus check" in line_of(conversation)
    assert visitor_of(conversation).get(url).status_code == 404


def test_a_scanner_that_is_away_is_asked_again_with_pauses(away):
    posted()
    nobody = configured()

    assert [check_waiting(nobody) for _ in range(3)] == [0, 0, 0]
    assert (state(), Attachment.objects.get().scan_tries) == (ScanState.PENDING, 1)

    Attachment.objects.update(created_at=database_now() - dt.timedelta(seconds=11))
    check_waiting(nobody)
    assert Attachment.objects.get().scan_tries == 2
    Attachment.objects.update(created_at=database_now() - dt.timedelta(hours=1))
    check_waiting(nobody)
    check_waiting(nobody)
    tries = Attachment.objects.get().scan_tries
    assert age_of_try(tries - 1) <= 3600 < age_of_try(tries)


def test_two_processes_do_not_ask_at_once(away):
    posted()
    attachment = Attachment.objects.get()
    asked = []

    class Slow:
        def scan(self, file):
            asked.append(1)
            if len(asked) == 1:
                scanner.check(attachment, self, database_now())
            return True

    assert scanner.check(attachment, Slow(), database_now())
    assert asked == [1]


@pytest.mark.parametrize("answer", [b"", b"INSTREAM size limit exceeded. ERROR\0", b"\xff\xfe nonsense\0"])
def test_an_answer_that_says_nothing_is_no_answer(clamd, answer):
    clamd.answer = answer
    posted()

    with pytest.raises(ScannerAway), open(__file__, "rb") as file:
        Clamav(*clamd.server_address).scan(file)
    assert check_waiting(configured()) == 0
    assert state() == ScanState.PENDING


def test_open_pages_get_the_line_anew(clamd):
    conversation, url = posted()
    visitor = visitor_of(conversation)
    before = visitor.get("/chat/current/poll/", {"last": 99}).json()["frames"][-1]["html"]
    check_waiting(configured())

    html = visitor.get("/chat/current/poll/", {"last": 99}).json()["frames"][-1]["html"]

    assert "Being checked" in before and url not in before
    message = Attachment.objects.get().message_id
    assert Page(html).one("div", id=f"files-{message}")["hx-swap-oob"] == "true"
    assert url in html


def test_the_visitor_is_sent_no_notes_files(clamd):
    lucia = make.agent()
    conversation = make.active_conversation(lead=lucia)
    handle = str(
        files.upload(upload("a.pdf", samples.PDF), files.Sender(conversation.pk, Party.AGENT, lucia.pk)).handle
    )
    post(Draft(conversation.pk, Party.AGENT, "", KEY, lucia.pk, "note", (handle,)))

    assert draw_files(conversation, "en", with_notes=False) == {}
    assert len(draw_files(conversation, "en", with_notes=True)) == 1
