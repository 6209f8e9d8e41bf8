"""The portal as an ASGI application: pages, sockets and, on servers that have it, lifespan."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)  # before anything imports a model

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import WebsocketDenier  # noqa: E402
from django.urls import re_path  # noqa: E402

from config.lifespan import lifespan  # noqa: E402
from config.origin import OwnOriginOnly  # noqa: E402
from config.outage import ComingBack  # noqa: E402
from config.requests import Pages  # noqa: E402
from conversations.consumers import websocket_urls  # noqa: E402

# Without it the router raises, and a socket to nowhere would be our own fault.
nowhere = re_path("", WebsocketDenier.as_asgi())

application = ProtocolTypeRouter(
    {
        "http": Pages(),
        "websocket": OwnOriginOnly(ComingBack(AuthMiddlewareStack(URLRouter([*websocket_urls, nowhere])))),
        "lifespan": lifespan,
    }
)
