"""The portal's server around an application of a few lines, so that a test decides when a request ends.

It says on its output what happens to it: `listening`, `background started`, `waiting`, `socket closed 1012`, …
"""

import asyncio
import os
import sys
import threading

import django

django.setup()

from config import server  # noqa: E402

MEBIBYTE = 1024 * 1024
FILE_PIECES = 64


class Background:
    """Stands for hub, writer and router."""

    async def start(self):
        say("background started")
        if "--broken-start" in sys.argv:
            raise RuntimeError("no database")

    async def stop(self):
        say("background stopped")
        if "--broken-stop" in sys.argv:
            raise RuntimeError("no database")


def say(what):
    print(what, flush=True)


async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await {"/flood": flood, "/slow": take_later}.get(scope["path"], listen)(receive, send)
        return
    if scope["path"] == "/wait":
        say("waiting")
        # Until the test writes a byte to this process.
        await asyncio.to_thread(os.read, 0, 1)
    elif scope["path"] == "/stuck":
        say("stuck")
        await asyncio.to_thread(threading.Event().wait)
    elif scope["path"] == "/large":
        say("large")
    elif scope["path"] == "/file":
        await send_file(send)
        return
    body = b"x" * (8 * 1024 * 1024 if scope["path"] == "/large" else 4)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
    if scope["path"] == "/wait":
        say("answered")


async def send_file(send):
    """Send more than any connection holds, a piece at a time."""
    size = FILE_PIECES * MEBIBYTE
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
    for _ in range(FILE_PIECES):
        await send({"type": "http.response.body", "body": b"x" * MEBIBYTE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
    say("sent")


async def listen(receive, send):
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
            say("socket open")
        elif message["text"] == "a mebibyte":
            await send({"type": "websocket.send", "text": "x" * 1024 * 1024})
        else:
            await send({"type": "websocket.send", "text": str(len(message["text"]))})
    say(f"socket closed {message['code']}")


async def take_later(receive, send):
    """Take frames only from when the test writes a byte to this process, and say how many there were."""
    await receive()
    await send({"type": "websocket.accept"})
    await asyncio.to_thread(os.read, 0, 1)
    taken = 0
    while (await receive())["type"] != "websocket.disconnect":
        taken += 1
    say(f"took {taken} frames")


async def flood(receive, send):
    """Send more than any connection holds, to someone who may not read."""
    await receive()
    await send({"type": "websocket.accept"})
    for _ in range(64):
        await send({"type": "websocket.send", "text": "x" * 1024 * 1024})
        await asyncio.sleep(0)
    while (message := await receive())["type"] != "websocket.disconnect":
        pass
    say(f"socket closed {message['code']}")


if __name__ == "__main__":
    server.background = Background()
    if "--impatient" in sys.argv:
        server.STALLED_SECONDS = 0.2
    small = server.DrainingServer(
        application, endpoints=[f"fd:fileno={sys.argv[1]}"], listening=lambda: say("listening")
    )
    small.run()
    say("unfinished" if small.has_unfinished_work else "finished")
    if small.has_unfinished_work:
        server.end_at_once(small)
    sys.exit(int(small.has_failed))
