"""Sockets open only from our own pages."""

from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

PORTS = {"http": "80", "https": "443"}


class OwnOriginOnly:
    """
    Denies a socket whose Origin is not the very scheme, host and port that it was asked of, or one that is trusted.

    Other than Channels' own validator it also refuses another port of the same host, and a missing Origin: browsers
    always send it.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        headers = {name.decode("latin1").lower(): value.decode("latin1") for name, value in scope["headers"]}
        if is_own(headers.get("origin", ""), headers.get("host", "")):
            return await self.application(scope, receive, send)
        return await WebsocketDenier()(scope, receive, send)


def is_own(origin: str, host: str) -> bool:
    """Whether a page of this origin belongs to the portal at this host."""
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    try:
        parts = urlsplit(origin)
        port = str(parts.port or PORTS.get(parts.scheme, ""))
    except ValueError:
        return False
    if parts.scheme != ("https" if settings.HTTPS else "http"):
        return False
    domain, host_port = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    own, _port = split_domain_port(parts.netloc)
    return own == domain and port == (host_port or PORTS[parts.scheme])
