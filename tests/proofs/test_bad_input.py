"""
No field of any address and no header breaks anything, on either database.

Each value is tried in the very state in which it would do something, and taken back. The running server, its sockets
and floods are in test_broken_protocol.py and test_floods.py.
"""

import inspect
import random
import re
from collections import defaultdict
from types import FunctionType

import pytest
from django import forms
from django.apps import apps
from django.contrib import admin
from django.test import Client

from agents import forms as agents_forms
from conversations import forms as conversations_forms
from conversations import search
from conversations.actions import messaging
from tests.pages.browsing import KEY
from tests.proofs import corpus, rights
from tests.proofs.judging import judged
from tests.proofs.rights import RIGHTS, Try
from tests.proofs.two_talks import World

ADDRESSES = dict(rights.every_address())
TAKING = [
    address
    for address, row in RIGHTS["addresses"].items()
    if not address.startswith("/admin/") and ("<" in address or {"send", "ask"} & set(row))
]
MODELS = [model for model in admin.site._registry if model._meta.label_lower != "conversations.conversation"]
MOST_FIELDS = 8  # of one form, in the short version
ROW = re.compile(r"(?P<kind>.+)-(?P<number>[0-9]+)-.+")  # a field of one of several rows

pytestmark = pytest.mark.usefixtures("own_folder")


def faults_of(trial, role, method, data, path, what, **options):
    """What is wrong with the answer to one bad request: a fault of ours, or something stored that nothing can show."""
    yield from judged(f"{method} {path[:80]} with {what}", lambda: trial.request(role, method, data, path, **options))


def quoted(text):
    """As a path has it; a browser sends any character, a test client too."""
    return text.encode(errors="surrogatepass").decode("latin1")


def chosen(texts, soak, seed):
    """All of them in the long version; in the short one the sharpest, and as many by chance."""
    if soak:
        return texts
    return corpus.SHARP | {
        name: texts[name] for name in random.Random(seed).sample(sorted(texts), len(corpus.SHARP) * 2)
    }


def limits_by_name():
    """How long a field of this name may be, as our forms and models say."""
    found = defaultdict(set)
    for label in rights.OUR_APPS[:3]:
        for model in apps.get_app_config(label).get_models():
            for field in model._meta.concrete_fields:
                found[field.name].add(getattr(field, "max_length", None))
    for module in (agents_forms, conversations_forms, search):
        for _name, form in inspect.getmembers(
            module, lambda one: isinstance(one, forms.forms.DeclarativeFieldsMetaclass)
        ):
            for name, field in form.base_fields.items():
                found[name].add(getattr(field, "max_length", None))
    for name, same in NAMED_OTHERWISE.items():
        found[name] |= found[same]
    return {name: sorted(limits - {None}) for name, limits in found.items()}


# Fields of a page that the model calls otherwise.
NAMED_OTHERWISE = {"question": "text", "page": "page_address"}
LIMITS = limits_by_name()


def texts_for(field, texts):
    """What is tried in a field: these, and the lengths about its own limits."""
    lengths = {}
    for limit in LIMITS.get(field, ()):
        lengths |= corpus.lengths(limit)
    return texts | lengths


def test_the_lengths_come_from_the_fields():
    known = {name: LIMITS.get(name) for name in ("text", "name", "email", "note", "username", "customer", "page")}

    assert all(known.values()), known
    assert {80, 60} <= set(LIMITS["name"])
    assert 4000 in LIMITS["text"]


def bad_requests(trial, method, texts):
    """Every field of a form, of the address and of its words, with every text: (what, fields, path)."""
    fields, asked = trial.body(method) or {}, trial.fields("ask")
    for field in fields:
        for name, text in texts_for(field, texts).items():
            yield f"{name} as {field}", {**fields, field: text}, trial.path()
    for field in asked:
        for name, text in texts_for(field, texts).items():
            yield f"{name} asked as {field}", fields, trial.bare_path() + "?" + trial.query(**{field: text})
    for field in fields:
        yield f"{field} twice", {**fields, field: [fields[field], fields[field]]}, trial.path()
        yield f"no {field}", {other: fields[other] for other in fields if other != field}, trial.path()
        yield f"{field} as a list", {f"{field}[]": "x", **fields, field: ["1"] * 1_200}, trial.path()


def faults_at(address, texts=corpus.TEXTS):
    """Try everything at one address, as somebody who may do it: (how many, faults)."""
    row = RIGHTS["addresses"][address]
    trial = Try(World(row.get("given", "talk")), address, ADDRESSES[address], row)
    tried, faults = 0, []
    for method in ("GET", "POST"):
        roles = [role for role, wanted in rights.expected(row, method).items() if wanted in ("ok", "go")]
        role = next(
            (role for role in ("agent_lead", "visitor_a", "anonymous") if role in roles), roles[0] if roles else ""
        )
        if address == "/chat/<str:slug>/":
            role = "ended_visitor"
        for what, fields, path in bad_requests(trial, method, texts) if role else ():
            tried += 1
            faults += faults_of(trial, role, method, fields, path, what)
    return tried, faults


@pytest.mark.django_db
@pytest.mark.parametrize("address", TAKING)
def test_no_text_in_any_field_breaks_an_address(address, soak, seed):
    tried, faults = faults_at(address, chosen(corpus.TEXTS, soak, seed))

    assert faults == []
    assert tried or "<" in address


@pytest.mark.django_db
@pytest.mark.parametrize(
    "word",
    [
        "chat/{}/",
        "desk/conversations/{}/",
        "desk/offers/{}/accept/",
        "files/{}/",
        "admin/{}/",
        "admin/queues/queue/{}/change/",
        "admin/r/{}/{}/",
        "admin/agents/agent/{}/password/",
    ],
)
def test_no_word_in_an_address_breaks_it(word, soak, seed):
    trial = Try(World(), "/", ADDRESSES["/"], {})
    faults = []
    for name, text in chosen(corpus.TEXTS, soak, seed).items():
        path = "/" + word.format(*[quoted(text)] * 2)
        for role in ("visitor_a", "superuser"):
            for method in ("GET", "POST"):
                faults += faults_of(trial, role, method, {}, path, name)
    assert faults == []


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["change", "add"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_no_text_in_any_field_breaks_a_form_of_admin(model, page, soak, seed):
    app, name = model._meta.app_label, model._meta.model_name
    trial = Try(World(), f"/admin/{app}/{name}/", None, {})
    pk = apps.get_model(app, name).objects.order_by("pk").first().pk
    path = f"/admin/{app}/{name}/" + ("add/" if page == "add" else f"{pk}/change/")
    shown = trial.request("superuser", "GET", {}, path)
    if page == "add" and shown.status_code == 403:
        return  # nobody adds these
    fields = with_a_new_row(rights.form_fields(shown.content.decode()))
    faults = []
    for field in fields_once(fields) if soak else some_fields(fields, seed):
        for what, text in admin_texts(model, field, soak).items():
            faults += faults_of(trial, "superuser", "POST", {**fields, field: text}, path, f"{what} as {field}")
    assert faults == []


def with_a_new_row(fields):
    """What the form would send after "Add another" of each kind of row: the empty row has its number then."""
    sent = dict(fields)
    for field in fields:
        kind, is_new, name = field.partition("-__prefix__-")
        if is_new:
            count = fields[f"{kind}-TOTAL_FORMS"]
            sent[f"{kind}-{count}-{name}"] = sent.pop(field)
            sent[f"{kind}-TOTAL_FORMS"] = str(int(count) + 1)
    return sent


def fields_once(fields):
    """Each field; of the rows of one kind, which one form reads, the first that is there and the new one."""
    rows = defaultdict(set)
    for field in fields:
        if row := ROW.fullmatch(field):
            rows[row["kind"]].add(int(row["number"]))
    tried = {(kind, number) for kind, numbers in rows.items() for number in (min(numbers), max(numbers))}
    return [
        field for field in fields if not (row := ROW.fullmatch(field)) or (row["kind"], int(row["number"])) in tried
    ]


def some_fields(fields, seed):
    """Some by chance, and those that say how many rows there are."""
    counts = [field for field in fields if field.endswith("-TOTAL_FORMS")]
    return {*counts, *random.Random(seed).sample(sorted(fields), min(len(fields), MOST_FIELDS))}


def admin_texts(model, name, soak):
    """What is tried in a field of admin; the fields of rows that hang on this one have a prefix and a number."""
    models = [model, *(inline.model for inline in admin.site._registry[model].inlines)]
    fields = [field for one in models for field in one._meta.concrete_fields if field.name == name.rpartition("-")[2]]
    lengths = {}
    for limit in {getattr(field, "max_length", None) for field in fields} - {None}:
        lengths |= corpus.lengths(limit) if soak else {f"{limit + 1} letters": "x" * (limit + 1)}
    return (corpus.TEXTS if soak else corpus.SHARP) | lengths


@pytest.mark.django_db
# Stock filters ask for a day without its zone; Django takes the portal's, and warns.
@pytest.mark.filterwarnings("ignore:DateTimeField:RuntimeWarning")
@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label_lower)
def test_no_search_and_no_filter_breaks_a_list_of_admin(model, soak, seed):
    app, name = model._meta.app_label, model._meta.model_name
    trial = Try(World(), f"/admin/{app}/{name}/", None, {})
    filters = admin_filters(model)
    faults, texts = [], chosen(corpus.TEXTS, soak, seed)
    for field in ["q", "p", "o", "all", "e", "_popup", "_to_field", "_facets", "id__exact", "no_such__field", *filters]:
        for what, text in texts.items():
            faults += faults_of(trial, "superuser", "GET", {field: text}, trial.address, f"{what} as {field}")
    for what, text in texts.items():
        for field in ("action", "_selected_action", "index", "select_across"):
            data = {"action": "delete_selected", "_selected_action": "1", field: text}
            faults += faults_of(trial, "superuser", "POST", data, trial.address, f"{what} as {field}")
    assert faults == []


def admin_filters(model):
    found = []
    for one in admin.site._registry[model].list_filter:
        if isinstance(one, str):
            found += [f"{one}__exact", f"{one}__id__exact", f"{one}__gte"]
        else:
            found.append(getattr(one, "parameter_name", "x") or "x")
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("header", corpus.HEADERS)
def test_no_header_breaks_a_page(header, settings):
    settings.TRUSTED_PROXY = header == "X-Forwarded-For"
    trial = Try(World(), "/", ADDRESSES["/"], {})
    name = "CONTENT_TYPE" if header == "Content-Type" else "HTTP_" + header.upper().replace("-", "_")
    faults = []
    for value in corpus.HEADERS[header]:
        for role, method, path in pages_of(trial.world):
            data = {"name": "Zoe", "question": "Why?", "key": KEY, "text": "Hi", "username": "x", "next": value}
            faults += faults_with(trial, role, method, path, data, name, value)
    assert faults == []


def pages_of(world):
    """Who asks for what, with a header that is wrong."""
    return [
        ("visitor_a", "GET", "/chat/current/"),
        ("visitor_a", "POST", "/chat/current/messages/"),
        ("ended_visitor", "POST", "/chat/orders/"),
        ("agent_lead", "GET", "/desk/"),
        ("anonymous", "POST", "/sign-in/"),
        ("agent_lead", "POST", "/language/"),
        ("visitor_a", "GET", f"/files/{world.file.handle}/"),
        ("superuser", "GET", "/admin/"),
        ("anonymous", "GET", "/static/css/base.css"),
        ("anonymous", "GET", "/metrics"),
    ]


def faults_with(trial, role, method, path, data, name, value):
    if name == "CONTENT_TYPE":
        if method != "POST":
            return []
        # `post` would encode the body itself, as the header says.
        extra = {"method": "POST", "content_type": value, "data": b"text=Hi&key=" + KEY.encode()}
    else:
        extra = {"data": data, name: value}
    client = client_of(trial, role)
    ask = client.generic if name == "CONTENT_TYPE" else getattr(client, method.lower())
    return judged(f"{method} {path} with {name} {value[:40]!r}", lambda: ask(path=path, **extra))


def client_of(trial, role):
    client = Client(raise_request_exception=False)
    client.handler = rights.HANDLER
    client.cookies.load(trial.world.cookies[role])
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("name", corpus.BYTES)
def test_no_bytes_of_a_form_break_anything(name):
    trial = Try(World(), "/", ADDRESSES["/"], {})
    value, faults = corpus.BYTES[name], []
    for role, path, form in [
        ("visitor_a", "/chat/current/messages/", b"key=" + KEY.encode() + b"&text=%s"),
        ("ended_visitor", "/chat/orders/", b"name=%s&question=%s&email=%s&page=%s"),
        ("agent_lead", f"/desk/conversations/{trial.world.talk.pk}/messages/", b"note=1&text=%s"),
        ("anonymous", "/sign-in/", b"username=%s&password=%s&next=%s"),
        ("superuser", "/admin/agents/idlereason/add/", b"name=%s&is_in_use=on"),
    ]:
        body = form.replace(b"%s", value)
        kind = {"content_type": "application/x-www-form-urlencoded"}
        faults += faults_of_body(trial, role, path, body, kind)
        faults += faults_of_body(trial, role, path + "?q=" + value.decode("latin1"), body, kind)
    assert faults == []


def faults_of_body(trial, role, path, body, kind):
    client = client_of(trial, role)
    return judged(f"{path} with {body[:60]!r}", lambda: client.post(path, body, **kind))


# The proof turns red with each of these


def clean_without_looking(draft):
    if not KEY.fullmatch(draft.key):  # noqa: F821
        raise Invalid("no key")  # noqa: F821
    return draft.text[:LONGEST_MESSAGE]  # noqa: F821


@pytest.mark.django_db
def test_mutant_a_text_is_not_looked_at(monkeypatch):
    monkeypatch.setattr(messaging.clean, "__code__", clean_without_looking.__code__)

    assert any("with NUL" in fault for fault in faults_at("/chat/current/messages/", corpus.SHARP)[1])


@pytest.mark.django_db
def test_mutant_a_text_is_looked_at_for_ever(monkeypatch):
    look = messaging.clean.__code__
    monkeypatch.setattr(messaging, "looked_at", FunctionType(look, vars(messaging)), raising=False)
    monkeypatch.setattr(messaging.clean, "__code__", clean_slowly.__code__)
    monkeypatch.setattr("tests.proofs.judging.SLOW_SECONDS", 0.2)

    faults = faults_at("/chat/current/messages/", {"ten times the largest": corpus.TEXTS["ten times the largest"]})[1]

    assert any("ten times the largest as text: took" in fault for fault in faults)


def clean_slowly(draft):
    if len(draft.text) > LONGEST_MESSAGE * 9:  # noqa: F821
        __import__("time").sleep(1)
    return looked_at(draft)  # noqa: F821
