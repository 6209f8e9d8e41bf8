"""Every kind of traffic to a running server: each address, each form of admin and each command, with planted words."""

import asyncio
import io
import secrets
from collections import Counter
from http.cookies import SimpleCookie

from django.contrib import admin
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from tests.files import samples
from tests.live.sockets import Page
from tests.proofs import corpus, rights
from tests.proofs.asking import TOKEN, ask
from tests.proofs.rights import FOREIGN_MARK, NOTE_MARK, RIGHTS, TALK_MARK, Try
from tests.proofs.two_talks import World

# What ends a talk or a sign-in comes last.
ENDS = ("/end/", "/leave/", "/closing/", "/transfer/", "/sign-out/", "/logout/", "/delete/", "/password")
FORMS = [model for model in admin.site._registry if model._meta.label_lower != "conversations.conversation"]
WALKERS = ("agent_lead", "visitor_a", "superuser", "ended_visitor", "anonymous", "agent_guest")


class Traffic:
    """The world of the table of rights, served by a process; whatever is said in it has a marker."""

    def __init__(self):
        self.world = World()
        self.asked = World("asked")
        self.answers = Counter()
        self.markers = {"a visitor's name": TALK_MARK, "a note": NOTE_MARK, "another talk": FOREIGN_MARK}
        self.addresses = dict(rights.every_address())

    def word(self, where):
        return self.markers.setdefault(where, f"marker{secrets.token_hex(8)}")

    @property
    def secrets(self):
        """Everything that must not be in a log, by what it is."""
        held = {
            f"{name} of {role}": cookie.value
            for role, text in self.world.cookies.items()
            for name, cookie in SimpleCookie(text).items()
            if len(cookie.value) >= 16
        }
        return {**self.markers, **held}

    # Addresses

    def send(self, portal, method, path, role, fields):
        headers = {"X-CSRFToken": TOKEN, "Accept": "application/json, text/html", "Content-Type": MULTIPART_CONTENT}
        data = encode_multipart(BOUNDARY, fields) if method == "POST" else None
        status, _text = ask(portal.url + path, cookie_of(self.world, role), data, **headers)
        assert status < 500, f"{method} {path} by {role}: {status}"
        self.answers[status // 100] += 1

    def walk(self, portal):
        """Each address as somebody who may do it: as it should be, and with a planted word in each field."""
        for method in ("GET", "POST"):
            for address in sorted(RIGHTS["addresses"], key=lambda address: any(end in address for end in ENDS)):
                row = RIGHTS["addresses"][address]
                wanted = rights.expected(row, method)
                role = next((role for role in WALKERS if wanted[role] in ("ok", "go")), None)
                if role:
                    world = self.asked if row.get("given") == "asked" else self.world
                    self._visit(portal, method, Try(world, address, self.addresses[address], row), role)

    def _visit(self, portal, method, trial, role):
        fields = trial.fields() if method == "POST" else {}
        for name in fields:
            self.send(portal, method, trial.path(), role, self._filled(fields, name, trial.address))
        for name in trial.fields("ask"):
            path = trial.bare_path() + "?" + trial.query(**{name: self.word(f"{name} asked of {trial.address}")})
            self.send(portal, method, path, role, self._filled(fields, None, trial.address))
        self.send(portal, method, trial.path(), role, self._filled(fields, None, trial.address))

    def _filled(self, fields, planted, address):
        """The form; one of its fields has a marker, and so has the name of each file."""
        filled = dict(fields)
        if planted:
            filled[planted] = self.word(f"{planted} sent to {address}")
        if "file" in fields:
            filled["file"] = io.BytesIO(samples.picture())
            filled["file"].name = self.word("a file's name") + ".png"
        return filled

    def save_in_admin(self, portal):
        """Every form of admin, with a planted word in each of its texts."""
        for model in FORMS:
            app, name = model._meta.app_label, model._meta.model_name
            pk = model._base_manager.order_by("pk").values_list("pk", flat=True).first()
            for path in (f"/admin/{app}/{name}/add/", f"/admin/{app}/{name}/{pk}/change/"):
                status, page = ask(portal.url + path, cookie_of(self.world, "superuser"))
                if status != 200:
                    continue
                fields = rights.form_fields(page)
                for field in fields:
                    if not field.endswith(("_FORMS", "csrfmiddlewaretoken")):
                        word = self.word(f"{field} in admin's {name}")
                        self.send(portal, "POST", path, "superuser", {**fields, field: word})

    # Sockets

    async def talk(self, portal):
        """Every command, right and wrong, of a visitor and of an agent."""
        doors = {
            "visitor_a": "/ws/chat/?last=0&language=en",
            "agent_lead": f"/ws/desk/?open={self.world.talk.pk}&last=0",
            "anonymous": "/ws/desk/",
        }
        for role, path in doors.items():
            async with Page(portal, path, cookie_of(self.world, role)) as page:
                if role == "anonymous":
                    await page.until_closed()
                else:
                    await self._speak(page, role)
        for name, sent in corpus.BROKEN_JSON.items():
            async with Page(portal, doors["visitor_a"], cookie_of(self.world, "visitor_a")) as page:
                await page.socket.send(f"{sent} {self.word(f'broken JSON: {name}')}")
                await page.until(lambda page=page: page.code or count_of(page, "refused"), "an answer")

    async def _speak(self, page, role):
        """As fast as the server takes it: of more than 30 frames in a second it looks at no more."""
        await page.say(f"Hello {self.word(f'a message by {role}')}", self.world.talk.pk)
        for command in ("post", "open", "seen", "got", "typing", "nothing"):
            right = {"conversation": self.world.talk.pk, "number": 1, "last": 0, "note": False}
            right |= {"key": secrets.token_hex(16), "text": "Hi", "files": []}
            for name in right:
                word = self.word(f"{name} of {command} by {role}")
                await page.send(**{"do": command, **right, name: word})
                await asyncio.sleep(1 / 25)
        before = count_of(page, "pong")
        await page.send("ping")
        await page.until(lambda: count_of(page, "pong") > before, "the end")
        assert count_of(page, "refused") > 10, "unknown: nothing wrong was found"


def count_of(page, kind):
    return sum(frame["is"] == kind for frame in page.frames)


def cookie_of(world, role):
    """All that this person's browser sends, and what CSRF asks for."""
    cookies = {name: cookie.value for name, cookie in SimpleCookie(world.cookies[role]).items()}
    return "; ".join(f"{name}={value}" for name, value in {**cookies, "csrftoken": TOKEN}.items())
