"""The visitor's session: an unguessable token in a signed cookie that scripts cannot read."""

import hashlib
import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from conversations.models import Conversation
from conversations.states import OPEN_STATES

COOKIE = "livedesk_visitor"
ONE_HOUR = 3_600
ONE_DAY = 86_400
# The browser keeps the cookie for longer than the session lasts: an open conversation may outlast the session.
KEPT_SECONDS = 7 * ONE_DAY
SALT = "conversations.visitor"


def token_hash_in(cookie: str | None) -> str | None:
    """
    What the database knows the visitor by; None for a cookie that is missing, forged or older than a day.

    An older one is good as long as its visitor has an open conversation: nobody loses it in the middle.
    """
    token = _token_in(cookie)
    if token is None:
        return None
    token_hash = _hash(token)
    if _is_older(cookie, ONE_DAY) and not _has_open_conversation(token_hash):
        return None
    return token_hash


def token_hash_of(request: HttpRequest) -> str | None:
    """The visitor who asks, if he has a session."""
    return token_hash_in(request.COOKIES.get(COOKIE))


def start_session(response: HttpResponse) -> str:
    """Give the browser a session of its own; answers its hash. Before the first form, so that two clicks are one."""
    token = secrets.token_urlsafe(32)
    keep_session(response, token)
    return _hash(token)


def renew_session(request: HttpRequest, response: HttpResponse) -> None:
    """Let the session of a visitor in an open conversation last for a day from now; said at most once in an hour."""
    cookie = request.COOKIES.get(COOKIE)
    token = _token_in(cookie)
    if token is not None and _is_older(cookie, ONE_HOUR):
        keep_session(response, token)


def keep_session(response: HttpResponse, token: str) -> None:
    """Let the session last for a day from now."""
    response.set_cookie(
        COOKIE,
        signing.dumps(token, salt=SALT),
        max_age=KEPT_SECONDS,
        httponly=True,
        secure=settings.HTTPS,
        samesite="Lax",
        path="/",
    )


def _token_in(cookie: str | None) -> str | None:
    """The token of a cookie that was signed here, whenever that was."""
    if not cookie:
        return None
    try:
        token = signing.loads(cookie, salt=SALT)
    except signing.BadSignature:
        return None
    return token if isinstance(token, str) else None


def _is_older(cookie: str | None, seconds: int) -> bool:
    """Whether a cookie with a good signature was signed longer ago."""
    try:
        signing.loads(cookie or "", salt=SALT, max_age=seconds)
    except signing.SignatureExpired:
        return True
    return False


def _has_open_conversation(token_hash: str) -> bool:
    return Conversation.objects.filter(visitor__token_hash=token_hash, state__in=OPEN_STATES).exists()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
