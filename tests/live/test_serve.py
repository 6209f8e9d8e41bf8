"""How the server starts, guards itself and ends."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from twisted.internet import tcp
from twisted.internet.testing import MemoryReactorClock
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from config.server import FRAME_BYTES, MOST_UNTAKEN, UNREAD_BYTES, UNTAKEN_BYTES, PageSocket, unread_bytes
from tests import make
from tests.portals import ROOT

LINE_SECONDS = 20


def hear_ctrl_c():
    """Also where the tests run in the background of a shell, whose children ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class SmallServer:
    """tests/live/small_server.py as a process, and what it said."""

    def __init__(self, *options):
        listening = socket.create_server(("127.0.0.1", 0))
        listening.set_inheritable(True)
        self.port = listening.getsockname()[1]
        command = [sys.executable, "-m", "tests.live.small_server", str(listening.fileno()), *options]
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
        with listening:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, pass_fds=[listening.fileno()], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=hear_ctrl_c,
            )  # fmt: skip
        self.lines = []
        self.news = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.news:
                self.lines.append(line.rstrip())
                self.news.notify_all()

    def wait_for(self, text):
        with self.news:
            said = self.news.wait_for(lambda: any(text in line for line in self.lines), LINE_SECONDS)
        assert said, f"The server never said {text!r}: {self.lines}"

    async def said(self, text):
        await asyncio.to_thread(self.wait_for, text)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def socket(self, path="/", **options):
        return connect(f"ws://127.0.0.1:{self.port}{path}", **options)

    def let_go(self):
        """End one request for /wait."""
        self.process.stdin.write("x")
        self.process.stdin.flush()

    def end(self, with_signal=signal.SIGTERM):
        self.process.send_signal(with_signal)

    def code(self):
        code = self.process.wait(LINE_SECONDS)
        self.reader.join(LINE_SECONDS)
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(LINE_SECONDS)
        self.process.stdout.close()
        self.process.stdin.close()


@pytest.fixture
def start_small():
    started = []

    def start(*options):
        started.append(SmallServer(*options))
        started[-1].wait_for("background started")
        return started[-1]

    yield start

    for server in started:
        server.close()


def fetch(url):
    with urllib.request.urlopen(url, timeout=LINE_SECONDS) as response:
        return response.status, response.headers["Connection"], len(response.read())


async def test_a_request_in_flight_and_an_open_socket_end_in_order(start_small):
    server = start_small()
    page = await server.socket()
    answer = asyncio.create_task(asyncio.to_thread(fetch, server.url("/wait")))
    await server.said("waiting")

    server.end()

    with pytest.raises(ConnectionClosed) as closed:
        await page.recv()
    assert closed.value.rcvd.code == 1012
    await server.said("socket closed")
    # Nobody comes in any more; the request that runs is finished first, the background work last.
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), timeout=2)
    assert "background stopped" not in server.lines
    server.let_go()
    assert await answer == (200, "close", 4)
    assert await asyncio.to_thread(server.code) == 0
    assert server.lines.index("answered") < server.lines.index("background stopped") < server.lines.index("finished")


async def test_a_large_answer_reaches_a_slow_reader_before_the_server_ends(start_small):
    server = start_small()
    with socket.create_connection(("127.0.0.1", server.port)) as browser:
        browser.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await server.said("large")
        server.end()
        received = await asyncio.to_thread(read_all, browser)

    assert received > 8 * 1024 * 1024
    assert await asyncio.to_thread(server.code) == 0


def read_all(browser):
    size = 0
    while chunk := browser.recv(65536):
        size += len(chunk)
    return size


FILE = 64 * 1024 * 1024


async def test_a_file_goes_to_a_slow_reader_whole(start_small):
    server = start_small()
    with socket.create_connection(("127.0.0.1", server.port)) as browser:
        browser.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        assert await asyncio.to_thread(read_all, browser) > FILE

    await server.said("sent")


async def test_a_file_does_not_lie_in_memory_for_who_takes_nothing_of_it(start_small):
    server = start_small("--impatient")
    with socket.create_connection(("127.0.0.1", server.port)) as browser:
        browser.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await server.said("sent")  # it went on without him

        assert await asyncio.to_thread(read_what_is_there, browser) < FILE / 2


def read_what_is_there(browser):
    """How much came before the connection was cut off."""
    size = 0
    with contextlib.suppress(ConnectionResetError):
        while chunk := browser.recv(65536):
            size += len(chunk)
    return size


async def test_a_request_that_never_ends_does_not_hold_the_server(start_small):
    server = start_small()
    answer = asyncio.create_task(asyncio.to_thread(fetch, server.url("/stuck")))
    await server.said("stuck")
    began = time.monotonic()

    server.end()

    assert await asyncio.to_thread(server.code) == 0
    assert time.monotonic() - began < 10
    assert "unfinished" in server.lines
    with pytest.raises(OSError):
        await answer


async def test_ctrl_c_ends_it_like_a_service_manager(start_small):
    server = start_small()
    async with server.socket() as page:
        await server.said("socket open")
        server.end(signal.SIGINT)
        await page.wait_closed()
        assert page.close_code == 1012

    assert await asyncio.to_thread(server.code) == 0


async def test_a_page_that_does_not_read_is_disconnected(start_small):
    server = start_small()
    page = socket.create_connection(("127.0.0.1", server.port))
    page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    page.sendall(
        b"GET /flood HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )

    await server.said(f"left more than {UNREAD_BYTES} bytes unread")
    await server.said("socket closed 1006")

    page.close()
    server.end()
    assert await asyncio.to_thread(server.code) == 0


@pytest.mark.parametrize("size, most", [(20, MOST_UNTAKEN), (FRAME_BYTES, UNTAKEN_BYTES // FRAME_BYTES)])
async def test_a_page_that_sends_more_than_is_taken_is_sent_away(start_small, size, most):
    server = start_small()
    page = await server.socket("/slow")

    with pytest.raises(ConnectionClosed):
        for _ in range(5_000):
            await page.send("x" * size)
        await asyncio.wait_for(page.recv(), LINE_SECONDS)

    assert page.close_code == 4429
    await server.said(f"A page that sent {most} frames ahead was sent away.")
    server.let_go()
    await server.said(f"took {most} frames")


async def test_a_page_may_send_any_number_of_frames_that_are_taken(start_small):
    server = start_small()
    async with server.socket() as page:
        for size in [20] * 2 * MOST_UNTAKEN + [FRAME_BYTES] * 2 * (UNTAKEN_BYTES // FRAME_BYTES):
            await page.send("x" * size)
            assert await page.recv() == str(size)


def test_what_a_page_left_unread_is_freed_when_it_is_let_go():
    ours, theirs = socket.socketpair()
    page = PageSocket()
    page.transport = tcp.Connection(ours, page, MemoryReactorClock())
    page.transport.connected = True
    for _ in range(3):
        page.transport.write(b"x" * 1_000)
    assert unread_bytes(page.transport) == 3_000

    page.cut_off()

    assert unread_bytes(page.transport) == 0
    assert page.transport._tempDataBuffer == []
    theirs.close()
    ours.close()


async def test_a_page_that_reads_gets_more_than_it_may_send(start_small):
    server = start_small()
    async with server.socket(max_size=None) as page:
        for _ in range(8):
            await page.send("a mebibyte")
            assert len(await page.recv()) == 1024 * 1024


@pytest.mark.parametrize("size, is_taken", [(64 * 1024, True), (64 * 1024 + 1, False)])
async def test_a_frame_has_64_kib_at_most(start_small, size, is_taken):
    server = start_small()
    async with server.socket() as page:
        await page.send("x" * size)
        if is_taken:
            assert await page.recv() == str(size)
        else:
            await page.wait_closed()
            assert page.close_code == 1009


def test_a_background_that_does_not_start_ends_the_server(start_small):
    server = start_small("--broken-start")

    assert server.code() == 1
    server.wait_for("The background work did not start")
    server.wait_for("RuntimeError: no database")


def test_a_background_that_fails_while_stopping_is_reported(start_small):
    server = start_small("--broken-stop")

    server.end()

    assert server.code() == 0
    server.wait_for("The background work did not stop in order")
    server.wait_for("RuntimeError: no database")


def test_a_port_in_use_is_a_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "manage.py", "serve", "--port", str(port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LINE_SECONDS)

    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 is in use by another program." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_running_portal_starts_again_with_its_data(start_portal):
    queue = make.queue()
    portal = start_portal()

    portal.stop()
    portal.start()

    assert queue.name in portal.read("/chat/")


async def test_an_open_desk_is_told_to_come_back(portal):
    cookie = await asyncio.to_thread(signed_in, make.agent)
    address = f"{portal.socket_url}/ws/desk/?open=&last=0"
    async with connect(address, origin=portal.url, additional_headers={"Cookie": cookie}) as page:
        assert json.loads(await page.recv())["is"] == "hello"

        await asyncio.to_thread(portal.stop)

        await page.wait_closed()
        assert page.close_code == 1012


def signed_in(agent):
    """The cookie of a new agent's session."""
    client = Client()
    client.force_login(agent())
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    connection.close()
    return cookie
