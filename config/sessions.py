"""Sessions in the database, looked for only under keys that are made like ours."""

from django.contrib.sessions.backends import db

SHORTEST_KEY = 8


class SessionStore(db.SessionStore):
    """
    The stock store; a cookie with any other characters is no session.

    A quoted cookie may hold a NUL, which PostgreSQL refuses to look for. Here and not in a middleware, because sockets
    load their sessions too.
    """

    def _validate_session_key(self, key: str | None) -> bool:
        return bool(key and len(key) >= SHORTEST_KEY and key.isascii() and key.isalnum())
