"""The table of rights, and one try of it; the world that it is tried in is in two_talks.py."""

import inspect
import io
import re
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

from channels.routing import URLRouter
from channels.security.websocket import WebsocketDenier
from django.apps import apps
from django.contrib import admin
from django.core.signals import request_finished
from django.db import close_old_connections, connection, transaction
from django.test import Client, override_settings
from django.test.client import ClientHandler
from django.urls import URLPattern, get_resolver

from config import rates
from config.asgi import application
from config.probes import ProbesMiddleware
from conversations.models import Attachment
from tests.files import samples
from tests.pages.browsing import Page
from tests.proofs.fields import fields_read

TABLE = Path(__file__).with_name("who_may_what.yaml")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OTHERS = "others"  # in the table: every method that has no row of its own
SETTINGS = {"given", "send", "ask", "with", OTHERS}
DONE = ("ok", "go")
WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
# Where somebody is, and that he asked: no right hangs on it.
PRESENCE = {
    ("agents.agent", "seen_at"), ("agents.agent", "connected_until"), ("agents.agent", "last_login"),
    ("conversations.conversation", "visitor_seen_at"), ("conversations.conversation", "is_visitor_here"),
}  # fmt: skip
# Identifiers that nothing has, by their kind.
NEVER_WAS = {int: 999_999, UUID: UUID(int=1), str: "never-was"}
ONE_YEAR = 31_536_000
PRODUCTION = {
    "SECURE_HSTS_SECONDS": ONE_YEAR, "SECURE_HSTS_INCLUDE_SUBDOMAINS": True, "SECURE_HSTS_PRELOAD": True
}  # fmt: skip
OUR_APPS = ("agents", "queues", "conversations", "auth")

# Words that stand only in what is not for everybody.
TALK_MARK, NOTE_MARK, FOREIGN_MARK = "zqtalkzq", "zqnotezq", "zqforeignzq"


def read_table():
    """The YAML file: sections, their entries, and what stands under each (of YAML it needs no more than that)."""
    table, section, entry = {}, None, None
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        text = line.split(" #")[0].rstrip()
        if not text or text.startswith("#"):
            continue
        depth = (len(text) - len(text.lstrip())) // 2
        name, _colon, value = text.strip().rpartition(":") if text.endswith(":") else text.strip().partition(": ")
        name = name.strip('"')
        if depth == 0:
            section = table.setdefault(name, value.split() if value else {})
        elif depth == 1:
            assert name not in section, f"{name} stands twice in {TABLE.name}"
            entry = section[name] = value.split() if value else {}
        else:
            assert name not in entry, f"{name} stands twice under the same address"
            entry[name] = value.split() if name != "given" else value
    return table


RIGHTS = read_table()
ROLES = RIGHTS["roles"]
ROWS = RIGHTS["addresses"] | RIGHTS["probes"]


def row_of(values):
    """What each role gets, by name; a row may be the name of one that is written out above."""
    if len(values) == 1:
        values = RIGHTS["rows"][values[0]]
    assert len(values) == len(ROLES), values
    return dict(zip(ROLES, values, strict=True))


def given(address):
    """What the conversation is in while this address is tried."""
    return ROWS[address].get("given", "talk")


def every_address(patterns=None, before="/"):
    """All patterns of the resolver, written as one text each, with the pattern itself."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        address = before + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLPattern):
            yield address, pattern
        else:
            yield from every_address(pattern.url_patterns, address)


def every_probe():
    """The addresses that are answered before the resolver is asked."""
    return set(ProbesMiddleware(None).probes)


def socket_router():
    """What leads to the sockets, below what asks where they come from and who opens them."""
    inner = application.application_mapping["websocket"]
    while not isinstance(inner, URLRouter):
        inner = inner.application if hasattr(inner, "application") else inner.inner
    return inner


def every_socket():
    """The consumer behind each address of a socket."""
    consumers = {f"/{route.pattern}": route.callback.consumer_class for route in socket_router().routes}
    return {where: consumer for where, consumer in consumers.items() if consumer is not WebsocketDenier}


def every_command():
    """Each address of a socket with each command that it takes: `("/ws/chat/", "post")`; to open it is one, too."""
    for where, consumer in every_socket().items():
        yield from ((where, name) for name in {"opens", "ping", *getattr(consumer, "commands", ())})


def every_admin_action():
    """The actions of every list in admin: `agents.agent sign_out`."""
    for model, model_admin in admin.site._registry.items():
        for function, name, _label in model_admin._get_base_actions():
            assert function is not None
            yield f"{model._meta.label_lower} {name}"


# One try


class Try:
    """One request of one role to one address, and what it did; everything is taken back afterwards."""

    def __init__(self, world, address, pattern, row):
        self.world, self.address, self.pattern, self.row = world, address, pattern, row
        self.names = dict(world.names)
        for pair in row.get("with", []):
            name, _equals, value = pair.partition("=")
            self.names[name] = value.format(**world.names)
        self._name_the_object()

    def _name_the_object(self):
        """The pages of admin about one row: the first one of its model."""
        found = re.match(r"/admin/(\w+)/(\w+)/<path:object_id>/", self.address)
        if found:
            self.names["object_id"] = apps.get_model(found[1], found[2]).objects.order_by("pk").first().pk

    def path(self, **swapped):
        """The address with its words, and what is asked of it."""
        ask = urlencode(self.fields("ask", **swapped), doseq=True)
        return self.bare_path(**swapped) + ("?" + ask if ask else "")

    def bare_path(self, **swapped):
        names = {name: str(value) for name, value in (self.names | swapped).items()}
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda word: names[word[1]], self.address)
        return re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda word: names[word[1]], path).removesuffix("$")

    def query(self, **values):
        """What is asked, with other values."""
        return urlencode(self.fields("ask") | values, doseq=True)

    def fields(self, which="send", **swapped):
        values = {}
        for pair in self.row.get(which, []):
            name, _equals, value = pair.partition("=")
            values.setdefault(name, []).append(value.format(**self.names | swapped))
        return {name: many if len(many) > 1 else many[0] for name, many in values.items()}

    def request(self, role, method="GET", data=None, path=None, **options):
        client = Client(raise_request_exception=False, **options)
        client.handler = HANDLER
        client.cookies = SimpleCookie(self.world.cookies[role])
        rates.forget_all()
        return getattr(client, method.lower())(path or self.path(), data, secure=True)

    def body(self, method, **swapped):
        if method != "POST":
            return None
        data = self.fields(**swapped)
        if data.get("file") == "picture":
            data["file"] = io.BytesIO(samples.picture())
            data["file"].name = "new.png"
        return data

    def answer(self, role, method, data=None, path=None, **options):
        """The class of the answer, its text, whether it changed rows, and whether it would have rung."""
        mine = self.world.conversation_of(role).pk
        data = self.body(method, mine=mine) if data is None else data
        with undone() as watch, fields_read() as fields:
            response = self.request(role, method, data, path or self.path(mine=mine), **options)
            text = text_of(response)
            changed = bool(watch.writes) and dump() != watch.before()
            rang = watch.rang()
        read = fields.of(response.wsgi_request)
        return Answer(class_of(response), text, changed, rang, headers_missing_in(response), read)

    def undeclared(self, answer):
        """What was read and does not stand in the table; the stock forms of admin are read from its pages."""
        if self.address.startswith("/admin/"):
            return set()
        return {(which, name) for which, names in answer.read.items() for name in names - set(self.fields(which))}


@dataclass
class Answer:
    kind: str
    text: str
    changed: bool
    rang: int
    bare: list
    read: dict


class Watch:
    """What one request writes, and what it would ring for after COMMIT."""

    def __init__(self, *, keeps_rows=True):
        self.keeps_rows = keeps_rows
        self.writes = []
        self.values = []
        self.callbacks = len(connection.run_on_commit)
        self._before = None

    def __call__(self, execute, sql, params, many, context):
        if WRITES.match(sql) and "django_session" not in sql:
            if self.keeps_rows and self._before is None:
                self._before = dump()
            self.values.append(params)
            self.writes.append(sql)
        return execute(sql, params, many, context)

    def before(self):
        return self._before

    def rang(self):
        return len(connection.run_on_commit) - self.callbacks


class TakeBack(Exception):
    pass


@contextmanager
def undone(*, keeps_rows=True):
    """Whatever happens inside is watched, and did not happen."""
    watch = Watch(keeps_rows=keeps_rows)
    try:
        with transaction.atomic(), connection.execute_wrapper(watch):
            yield watch
            raise TakeBack
    except TakeBack:
        pass


def class_of(response):
    status = response.status_code
    if status in (301, 302):
        target = response.url
        return "in" if target.startswith(("/sign-in/?next=", "/admin/login/?next=")) else "go"
    return "ok" if 200 <= status < 300 else str(status)


def text_of(response):
    content = b"".join(response.streaming_content) if response.streaming else response.content
    # As the test client does it: the end of a request must not close the connection that the test works with.
    request_finished.disconnect(close_old_connections)
    response.close()
    request_finished.connect(close_old_connections)
    return content.decode(errors="replace")


def headers_missing_in(response):
    """What keeps a browser safe, by name, as far as this answer does not carry it."""
    policy = response.get("Content-Security-Policy", "")
    has = {
        "a strict policy": "default-src 'none'" in policy and "unsafe" not in policy,
        "frame-ancestors": re.search(r"frame-ancestors '(none|self)'", policy),
        "nosniff": response.get("X-Content-Type-Options") == "nosniff",
        "a referrer policy": response.get("Referrer-Policy") == "same-origin",
        "X-Frame-Options": response.get("X-Frame-Options") in ("DENY", "SAMEORIGIN"),
        "HSTS": response.get("Strict-Transport-Security", "").startswith(f"max-age={ONE_YEAR};"),
    }
    return [name for name, is_there in has.items() if not is_there]


def dump():
    """Every row of ours, but for who was seen when."""
    rows = {}
    for label in OUR_APPS:
        for model in apps.get_app_config(label).get_models():
            names = [
                field.attname
                for field in model._meta.concrete_fields
                if (model._meta.label_lower, field.name) not in PRESENCE
            ]
            rows[model._meta.label_lower] = list(model._base_manager.order_by("pk").values_list(*names))
    rows["unposted"] = list(Attachment.objects.order_by("pk").values_list("handle", "message"))
    return rows


def methods_of(row):
    return [name for name in row if name not in SETTINGS]


def expected(row, method):
    """What each role gets for this method."""
    values = row.get(method) or row.get(OTHERS)
    assert values, f"{method} is not in the table"
    return row_of(values)


def mismatches(address, pattern, world, methods=METHODS, roles=None):
    """The cells of one address where the portal does something else than the table says."""
    row = ROWS[address]
    trial = Try(world, address, pattern, row)
    wrong, undeclared = [], set()
    for method in methods:
        for role, wanted in expected(row, method).items():
            if roles and role not in roles:
                continue
            answer = trial.answer(role, method)
            wrong += [f"{method} {address} by {role}: {fault}" for fault in faults(answer, wanted, method, role)]
            undeclared |= trial.undeclared(answer)
    undeclared |= undeclared_without_each(trial) if "POST" in methods else set()
    return wrong + [f"{address} reads {name}, which the table does not {which}" for which, name in sorted(undeclared)]


def undeclared_without_each(trial):
    """The same with each field left out in turn: what is read may hang on what another one says."""
    found = set()
    role = next((role for role, wanted in expected(trial.row, "POST").items() if wanted in DONE), ROLES[0])
    data = trial.body("POST", mine=trial.world.conversation_of(role).pk)
    for left_out in data:
        answer = trial.answer(role, "POST", {name: data[name] for name in data if name != left_out})
        found |= trial.undeclared(answer)
    return found


def faults(answer, wanted, method, role):
    if answer.kind != wanted:
        yield f"{answer.kind} instead of {wanted}"
    may_change = method == "POST" and wanted in DONE
    if not may_change and (answer.changed or answer.rang):
        yield "changed or rang something"
    if answer.bare:
        yield f"came without {', '.join(answer.bare)}"
    for mark, allowed in WHO_READS.items():
        if mark in answer.text and role not in allowed:
            yield f"read {mark}"


class HandlerOfProduction(ClientHandler):
    """Demands https of browsers, as a portal in production does."""

    def load_middleware(self, is_async=False):
        with override_settings(**PRODUCTION):
            super().load_middleware(is_async)


# One for all requests: each one's own would read every static file anew.
HANDLER = HandlerOfProduction(enforce_csrf_checks=False)
STAFF_OF_THE_TALK = {"agent_lead", "agent_guest", "supervisor", "superuser"}
WHO_READS = {
    TALK_MARK: STAFF_OF_THE_TALK | {"visitor_a"},
    NOTE_MARK: STAFF_OF_THE_TALK,
    FOREIGN_MARK: {"visitor_b", "supervisor", "superuser"},
}


def form_fields(text):
    """What the main form of a page of admin would send as it stands."""
    form = next(form for form in Page(text).all("form") if form.get("id", "").endswith("_form"))
    fields, chosen = {}, ""
    for field in form.inside:
        if field.tag == "option" and "selected" in field:
            fields[chosen] = field.get("value", field.text)
        elif "name" in field and field.tag in ("input", "textarea", "select"):
            chosen = field["name"]
            if field.get("type") not in ("checkbox", "radio", "submit", "file") or "checked" in field:
                fields[chosen] = field.text if field.tag == "textarea" else field.get("value", "")
    return fields


def new_key():
    return secrets.token_hex(16)


def unwrapped(view):
    """The view itself, without what asks for a sign-in."""
    return inspect.unwrap(view)
