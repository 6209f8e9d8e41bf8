"""Lifespan: servers that have it (uvicorn, granian; not Daphne) start and stop the background with it."""

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from config import background


async def lifespan(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Start the background before the first request, stop it after the last."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await background.start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await background.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
