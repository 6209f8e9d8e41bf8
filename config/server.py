"""Daphne with what live traffic needs: it drains before it ends, and lets go of readers that do not read."""

# Daphne chooses Twisted's reactor and therefore comes first.
from daphne.server import Server  # isort: skip

import asyncio
import logging
import math
import os
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

from daphne.http_protocol import WebRequest, http
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import defer, reactor, tcp

from config import background
from config.guards import guards
from conversations.consumers import FLOODED

logger = logging.getLogger("config.server")

# A thousand browsers come back at once after a restart; Twisted's own 50 would let them in by the dozen.
BACKLOG = 2048
FRAME_BYTES = 64 * 1024
# A page that does not read is dropped here; it comes back and catches up from the database.
UNREAD_BYTES = 4 * 1024 * 1024
# Who takes nothing of a file for so long has gone; and how often that is looked at.
STALLED_SECONDS = 30.0
READER_SECONDS = 0.05
# The other way: what a page may send ahead while one command of it waits for the database. No page of ours comes near,
# and who floods is told in words first: that is the application's part, and begins far below.
MOST_UNTAKEN = 2_000
UNTAKEN_BYTES = 4 * 1024 * 1024
# The headers of a request take a browser a blink, and the slowest line no half minute.
HEADERS_SECONDS = 30.0
# Longer than a request waits for the database (DATABASE_POOL's ten seconds), as long as a page waits for its socket.
HANDSHAKE_SECONDS = 15
# Together below the ten seconds that service managers commonly wait.
REQUESTS_SECONDS = 6.0
BACKGROUND_SECONDS = 2.5
# "Service restart": every browser script takes it as a reason to come back.
COME_BACK = 1012


def last_answer(status: str) -> bytes:
    """An answer without words, after which the connection ends."""
    headers = [("Connection", "close"), ("Content-Length", "0"), *guards()]
    return "\r\n".join([f"HTTP/1.1 {status}", *map(": ".join, headers), "", ""]).encode()


class GuardedRequest(WebRequest):  # type: ignore[misc]
    """A request that is believed no more than it must be; its answer is ours when the application does not answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Django reads forms. Twisted would read each before it, with the whole loop waiting, and what it cannot read
        # would end the connection without a word.
        super().__init__(*args, **kwargs, parsePOSTFormSubmission=False)

    def process(self) -> Any:
        # Daphne believes it from anybody: `/x` in it would make `/x/metrics` the address that a proxy keeps from us.
        self.requestHeaders.removeHeader(b"Daphne-Root-Path")
        if not all(value.isascii() for value in self.requestHeaders.getRawHeaders(b"Sec-WebSocket-Protocol", [])):
            return self.channel._respondToBadRequestAndDisconnect()  # Daphne takes it for text
        return super().process()

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        # Daphne's page has a style of its own, which no policy of ours would let it have.
        headers = [(name.encode(), value.encode()) for name, value in guards()]
        headers.append((b"Content-Type", b"text/plain; charset=utf-8"))
        self.handle_reply({"type": "http.response.start", "status": status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": b"%d %s\n" % (status, status_text)})


class PromptChannel(http.HTTPChannel):  # type: ignore[misc]
    """A browser's connection: the headers of each request must arrive in time, however slowly letter follows letter."""

    headers_seconds = HEADERS_SECONDS
    _headers_due: Any = None

    def connectionMade(self) -> None:
        self.requestFactory = GuardedRequest  # Daphne's factory has put its own here
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        # Twisted's own time limit begins anew with every letter.
        if self.line_mode and self._headers_due is None:
            self._headers_due = self.callLater(self.headers_seconds, self._give_up)
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        self._stop_waiting()
        super().allHeadersReceived()

    def headerReceived(self, line: bytes) -> bool:
        try:
            return bool(super().headerReceived(line))
        except ValueError:  # a length of more digits than Python reads
            self._respondToBadRequestAndDisconnect()
            return False

    def connectionLost(self, reason: Any) -> None:
        self._stop_waiting()
        super().connectionLost(reason)

    def _stop_waiting(self) -> None:
        if self._headers_due is not None and self._headers_due.active():
            self._headers_due.cancel()
        self._headers_due = None

    def _give_up(self) -> None:
        self.transport.write(last_answer("408 Request Timeout"))
        self.timeoutConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.transport.write(last_answer("400 Bad Request"))
        self.loseConnection()


class PageSocket(WebSocketProtocol):  # type: ignore[misc]
    """A page's socket: what comes in is bounded, and what breaks the bound is told so before it is closed."""

    is_cut_off = False
    is_sent_away = False

    def onConnect(self, request: Any) -> Any:
        self.untaken: deque[int] = deque()  # the sizes of the newest frames, those that still wait among them
        return super().onConnect(request)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.is_sent_away:
            return
        while len(self.untaken) > self.application_queue.qsize():
            self.untaken.popleft()
        if len(self.untaken) >= MOST_UNTAKEN or sum(self.untaken) + len(payload) > UNTAKEN_BYTES:
            self.is_sent_away = True
            logger.warning("A page that sent %d frames ahead was sent away.", len(self.untaken))
            self.sendClose(code=FLOODED)
            return
        self.untaken.append(len(payload))
        super().onMessage(payload, isBinary)

    def cut_off(self) -> None:
        """Let go of a page that does not read; what is still sent to it until it is gone is dropped."""
        if not self.is_cut_off:
            self.is_cut_off = True
            logger.warning("A page that left more than %d bytes unread was disconnected.", UNREAD_BYTES)
            self.transport.abortConnection()
            free_unread(self.transport)

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        super().sendHttpErrorResponse(code, reason, [*(responseHeaders or []), *guards()])

    def serverSend(self, content: "str | bytes", binary: bool = False) -> None:
        if self.state != self.STATE_OPEN:
            return  # it closed in this very moment; the page comes back and catches up
        # Autobahn holds both directions to one limit; a page that catches up needs more than it may send.
        self.maxMessagePayloadSize = 0
        try:
            super().serverSend(content, binary)
        finally:
            self.maxMessagePayloadSize = FRAME_BYTES


class DrainingServer(Server):  # type: ignore[misc]
    """Ends in order: no new visitors, sockets told to come back, requests finished, background work put down."""

    def __init__(self, *args: Any, listening: Callable[[], None] | None = None, **kwargs: Any) -> None:
        # Without Daphne's reading of what a proxy says, which stumbles over what is no text: config.addresses reads the
        # address and Django (SECURE_PROXY_SSL_HEADER) the scheme.
        kwargs.update(
            websocket_timeout=-1,
            websocket_max_message_size=FRAME_BYTES,
            websocket_max_frame_size=FRAME_BYTES,
            ping_interval=20,
            ping_timeout=30,
            server_name="Livedesk",
            ready_callable=self.start_background,
        )
        super().__init__(*args, **kwargs)
        self.listening = listening
        self.ports: list[Any] = []
        self.starting: asyncio.Task[None] | None = None
        self.refused_port: str = ""
        self.is_draining = False
        self.has_failed = False
        self.has_unfinished_work = False

    # Starting

    def listen_success(self, port: Any) -> None:
        super().listen_success(port)
        self.ports.append(port)
        if self.listening:
            self.listening()

    def listen_error(self, failure: Any) -> None:
        self.has_failed = True
        self.refused_port = failure.getErrorMessage()
        self.stop()

    def start_background(self) -> None:
        """Start hub, writer and router as the loop's first task (the loop is set, and not yet running)."""
        self.http_factory.protocol = PromptChannel
        self.ws_factory.protocol = PageSocket
        # A handshake may wait for the database as long as a page does, and is answered then; by itself it is cut off.
        self.ws_factory.setProtocolOptions(failByDrop=False, openHandshakeTimeout=HANDSHAKE_SECONDS)
        self.starting = asyncio.get_event_loop().create_task(self._start())

    async def _start(self) -> None:
        try:
            await background.start()
        except Exception:
            logger.critical("The background work did not start; the server ends.", exc_info=True)
            self.has_failed = True
            self.stop()

    # Serving

    async def handle_reply(self, protocol: Any, message: Any) -> None:
        if message["type"] == "websocket.send" and unread_bytes(protocol.transport) > UNREAD_BYTES:
            protocol.cut_off()
            return
        if self.is_draining and message["type"] == "http.response.start" and protocol.channel is not None:
            # Otherwise a kept connection would bring the next request to a server that is going.
            protocol.channel.persistent = False
            message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
        if message["type"] == "http.response.body":
            await self._wait_for_reader(protocol)
        await super().handle_reply(protocol, message)

    async def _wait_for_reader(self, request: Any) -> None:
        """A file goes to a slow line as fast as that takes it, and does not lie in memory meanwhile."""
        loop = asyncio.get_running_loop()
        least, since = math.inf, loop.time()
        while request.channel is not None and (unread := unread_bytes(request.channel.transport)) > UNREAD_BYTES:
            if unread < least:
                least, since = unread, loop.time()
            elif loop.time() - since > STALLED_SECONDS:
                request.channel.transport.abortConnection()
                return
            await asyncio.sleep(READER_SECONDS)

    # Ending

    def kill_all_applications(self) -> "defer.Deferred[None]":
        """Twisted waits for this before it stops the reactor."""
        self.is_draining = True
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._end()))

    async def _end(self) -> None:
        # Twisted's log goes nowhere: what is not caught here would vanish, and leave its tasks behind.
        try:
            await self._stop_listening()
            await self._drain()
        except Exception:
            logger.exception("The server could not drain in order.")
            self.has_unfinished_work = True
        try:
            if self.starting:
                self.starting.cancel()
            await asyncio.wait_for(background.stop(), BACKGROUND_SECONDS)
        except Exception:
            logger.exception("The background work did not stop in order.")
            self.has_unfinished_work = True

    async def _stop_listening(self) -> None:
        loop = asyncio.get_running_loop()
        for port in self.ports:
            stopped = defer.maybeDeferred(port.stopListening)
            await stopped.asFuture(loop)

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + REQUESTS_SECONDS
        while self._is_busy() and loop.time() < end:
            # Each round anew: a socket may have opened, a kept connection may have brought one more request.
            self._send_sockets_away()
            await asyncio.sleep(0.02)
        left = len(self._unfinished())
        if left:
            logger.warning("%d requests did not finish in %d seconds and are cut off.", left, REQUESTS_SECONDS)
            self.has_unfinished_work = True

    def _send_sockets_away(self) -> None:
        for protocol in list(self.connections):
            is_socket = getattr(protocol, "application_type", "") == "websocket"
            if is_socket and protocol.state == protocol.STATE_OPEN:
                # sendClose() takes no 1012; the frame itself does.
                protocol.sendCloseFrame(code=COME_BACK, reasonUtf8=b"service restart", isReply=False)

    def _is_busy(self) -> bool:
        """Something still runs, or an answer is still on its way out."""
        loop: Any = reactor
        return bool(self._unfinished()) or any(isinstance(writer, tcp.Server) for writer in loop.getWriters())

    def _unfinished(self) -> list["asyncio.Future[None]"]:
        running = [details.get("application_instance") for details in self.connections.values()]
        return [application for application in running if application is not None and not application.done()]


def unread_bytes(transport: Any) -> int:
    """What was written to this connection and its reader has not taken (Twisted has no public word for it)."""
    if transport is None:
        return 0
    return len(transport.dataBuffer) - int(transport.offset) + int(transport._tempDataLen)


def free_unread(transport: Any) -> None:
    """Free what the reader of an aborted connection has not taken: it lies in a cycle, and those may stay for long."""
    transport.dataBuffer, transport.offset = b"", 0
    transport._tempDataBuffer.clear()
    transport._tempDataLen = 0


def end_at_once(server: DrainingServer) -> NoReturn:
    """Threads that do not end would hold the process; what they did not commit, the database takes back."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(int(server.has_failed))


def endpoint(host: str, port: int) -> str:
    """Where to listen, in Twisted's words."""
    interface = host.strip("[]").replace(":", r"\:")
    return f"tcp:port={port}:interface={interface}:backlog={BACKLOG}"
