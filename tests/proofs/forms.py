"""The forms that anybody may send to a running server: a message, a start and a sign-in, with texts that are heavy."""

import secrets

from tests import make
from tests.live.sockets import Talk, visitor_with_cookie
from tests.proofs import corpus
from tests.proofs.raw import Running

HEAVY_LETTERS = 300
HEAVY = {name: text for name, text in corpus.TEXTS.items() if len(text) >= HEAVY_LETTERS} | corpus.lengths(4_000)


class Forms:
    """Somebody in a talk, somebody who has none yet, and somebody who wants to sign in."""

    def __init__(self):
        # Neither has a page, and both stay until the end.
        queue = make.queue(members=[make.agent()], waiting_grace_seconds=3_600, visitor_gone_seconds=3_600)
        self.talk = Talk(queue=queue)
        _visitor, self.cookie = visitor_with_cookie("Zoe")
        self.start = f"/chat/{queue.slug}/"
        self.answers = []

    def fields(self):
        """What each form holds as a page sends it, and who sends it."""
        key = secrets.token_hex(16)
        start = {"name": "Zoe", "email": "", "question": "Why?", "page": "", "key": key}
        return {
            "/chat/current/messages/": (self.talk.visitor_cookie, {"key": key, "text": "Hello"}),
            self.start: (self.cookie, start),
            "/sign-in/": ("", {"username": "nobody", "password": "wrong", "next": ""}),
        }

    def heavy(self):
        """Every heavy text in every field: the address, the cookie, the fields, and what it is."""
        for what, text in HEAVY.items():
            for path, (cookie, fields) in self.fields().items():
                for name in fields:
                    key = {"key": secrets.token_hex(16)} if "key" in fields else {}
                    yield path, cookie, {**fields, **key, name: text}, f"{what} as {name} to {path}"

    def ordinary(self):
        """The same forms, as they should be; a password is tried as often, or they would be the heavier ones."""
        for path, cookie, heavy, _what in self.heavy():
            fields = self.fields()[path][1]
            if heavy.get("username") != fields.get("username"):
                fields["password"] = ""
            yield path, cookie, fields, f"{path} as ever"

    async def send(self, portal, path, cookie, fields, what):
        """Send it: what is wrong with the answer, or None."""
        status, _wait = await Running(portal).post(path, fields, cookie=cookie)
        self.answers.append(status)
        return None if status in (200, 302, 422) else f"{what}: {status}"

    def were_taken(self):
        """Whether forms went through, and others were refused: else nothing looked at what stood in them."""
        return min(self.answers.count(status) for status in (200, 302, 422)) > 10
