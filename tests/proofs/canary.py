"""A talk that goes on while others misbehave, in a process of its own: prints when and how long each message took.

python -m tests.proofs.canary ws://127.0.0.1:8000 http://127.0.0.1:8000 <conversation> <cookie> <cookie of the agent>
"""

import asyncio
import json
import secrets
import sys
import time

from websockets.asyncio.client import connect

PAUSE = 0.05


async def main(sockets, origin, conversation, visitor_cookie, agent_cookie):
    address = f"{sockets}/ws/desk/?open={conversation}&last=0"
    async with (
        connect(f"{sockets}/ws/chat/?last=0", origin=origin, additional_headers={"Cookie": visitor_cookie}) as chat,
        connect(address, origin=origin, additional_headers={"Cookie": agent_cookie}) as desk,
    ):
        while True:
            await say(chat, desk, {})
            await say(desk, chat, {"conversation": int(conversation)})


async def say(sender, receiver, where):
    """One message: over when its sender was told "stored" and the other one has it."""
    key = secrets.token_hex(16)
    started = time.time()
    await sender.send(json.dumps({"do": "post", "key": key, "text": "Still here", **where}))
    await asyncio.gather(until_answered(sender, key), until_seen(receiver, key))
    print(f"{started:.4f} {time.time() - started:.5f}", flush=True)
    await asyncio.sleep(PAUSE)


async def until_answered(socket, key):
    while True:
        frame = json.loads(await socket.recv())
        if frame.get("key") == key:
            assert frame["is"] == "posted", frame
            return


async def until_seen(socket, key):
    while True:
        frame = json.loads(await socket.recv())
        if frame["is"] == "messages" and key in frame["html"]:
            return


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
