"""The visitor's session: an unguessable token in a signed cookie that scripts cannot read."""

import hashlib
import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

COOKIE = "livedesk_visitor"
ONE_DAY = 86_400
SALT = "conversations.visitor"


def token_hash_in(cookie: str | None) -> str | None:
    """What the database knows the visitor by; None for a cookie that is missing, forged or older than a day."""
    if not cookie:
        return None
    try:
        token = signing.loads(cookie, salt=SALT, max_age=ONE_DAY)
    except signing.BadSignature:
        return None
    return _hash(token) if isinstance(token, str) else None


def token_hash_of(request: HttpRequest) -> str | None:
    """The visitor who asks, if he has a session."""
    return token_hash_in(request.COOKIES.get(COOKIE))


def has_bad_cookie(request: HttpRequest) -> bool:
    """Whether the browser sent a cookie that is forged or stale."""
    return COOKIE in request.COOKIES and token_hash_of(request) is None


def start_session(response: HttpResponse) -> str:
    """Give the browser a session of its own; answers its hash. Before the first form, so that two clicks are one."""
    token = secrets.token_urlsafe(32)
    keep_session(response, token)
    return _hash(token)


def keep_session(response: HttpResponse, token: str) -> None:
    """Let the session last for a day from now."""
    response.set_cookie(
        COOKIE,
        signing.dumps(token, salt=SALT),
        max_age=ONE_DAY,
        httponly=True,
        secure=settings.HTTPS,
        samesite="Lax",
        path="/",
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
