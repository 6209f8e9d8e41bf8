"""A bare echo under the same server: what a message can cost at least. It says `listening` when it is there."""

import sys

import django

django.setup()

from config import server  # noqa: E402


class Nothing:
    """Stands for hub, writer and router."""

    async def start(self):
        print("listening", flush=True)

    async def stop(self):
        pass


async def application(scope, receive, send):
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "websocket.send", "text": message["text"]})


if __name__ == "__main__":
    server.background = Nothing()
    server.DrainingServer(application, endpoints=[f"fd:fileno={sys.argv[1]}"]).run()
