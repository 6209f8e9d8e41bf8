"""Browsers without a screen: who asks, and what stands in the answer."""

import hashlib
import secrets
from html.parser import HTMLParser

from django.core import signing
from django.test import Client

from conversations.models import Conversation, ConversationEvent, Message, Offer, Participant
from conversations.visitors import COOKIE, SALT
from tests import make

HTMX = {"HX-Request": "true"}
JSON = {"Accept": "application/json"}
KEY = "5f0c2b1e-0000-4000-8000-000000000001"
OTHER_KEY = "5f0c2b1e-0000-4000-8000-000000000002"
EMPTY_TAGS = {"br", "hr", "img", "input", "link", "meta", "use", "path", "source"}


class Element(dict):
    """One element: its attributes, its tag, and the text inside it."""

    def __init__(self, tag, attributes):
        super().__init__(attributes)
        self.tag = tag
        self.texts = []
        self.inside = []
        self.is_template = False

    @property
    def text(self):
        return " ".join("".join(self.texts).split())


class Page(HTMLParser):
    """An answer's HTML as a browser would read it."""

    def __init__(self, response):
        super().__init__(convert_charrefs=True)
        self.elements = []
        self._open = []
        self.feed(response if isinstance(response, str) else response.content.decode())
        self.close()

    def handle_starttag(self, tag, attributes):
        element = Element(tag, attributes)
        for around in self._open:
            around.inside.append(element)
        element.is_template = any(around.tag == "template" for around in self._open)
        self.elements.append(element)
        if tag not in EMPTY_TAGS:
            self._open.append(element)

    def handle_endtag(self, tag):
        if any(element.tag == tag for element in self._open):
            while self._open.pop().tag != tag:
                pass

    def handle_data(self, data):
        for element in self._open:
            element.texts.append(data)

    @property
    def text(self):
        return self.one("body").text if self.all("body") else " ".join(e.text for e in self.elements[:1])

    def all(self, tag=None, **attributes):
        """Elements that show, with that tag and these attributes (`_` for `-`, True for any value)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            element
            for element in self.elements
            if not element.is_template
            and (tag is None or element.tag == tag)
            and all(name in element and value in (True, element[name]) for name, value in wanted.items())
        ]

    def one(self, tag=None, **attributes):
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of <{tag} {attributes}>"
        return found[0]

    def buttons(self):
        return [element.get("aria-label") or element.text for element in self.all("button")]

    def labels(self):
        return {label.text: label["for"] for label in self.all("label", for_=True)}

    def fields(self, action=None):
        """What the form with that action would send, as it stands, with no file chosen."""
        form = next(form for form in self.all("form") if action is None or form.get("action") == action)
        inputs = [e for e in form.inside if e.tag in ("input", "textarea") and "name" in e and e.get("type") != "file"]
        return {e["name"]: e.get("value", "") if e.tag == "input" else e.text for e in inputs}

    def numbers(self):
        """The numbers of the lines that are shown."""
        return [int(li["data-number"]) for li in self.all("li", data_number=True)]


def somewhere():
    """A network address of its own: the shared counts of starts and sign-ins outlive a test."""
    return f"2001:db8::{secrets.token_hex(2)}:{secrets.token_hex(2)}"


def cookie_of(token):
    """The cookie that holds this token."""
    return signing.dumps(token, salt=SALT)


def hash_of(token):
    """What the database knows the token by."""
    return hashlib.sha256(token.encode()).hexdigest()


def visitor_of(conversation, **options):
    """The browser of the conversation's visitor."""
    token = f"token-{conversation.visitor_id}"
    conversation.visitor.token_hash = hash_of(token)
    conversation.visitor.save(update_fields=["token_hash"])
    client = Client(**{"REMOTE_ADDR": somewhere(), **options})
    client.cookies[COOKIE] = cookie_of(token)
    return client


def newcomer(**options):
    """A browser that has a session and no conversation yet."""
    client = Client(**{"REMOTE_ADDR": somewhere(), **options})
    client.cookies[COOKIE] = cookie_of(f"newcomer-{next(make.numbers)}")
    return client


def desk_of(agent, **options):
    """The browser of an agent who is signed in."""
    client = Client(**{"REMOTE_ADDR": somewhere(), **options})
    client.force_login(agent)
    return client


def everything():
    """All rows that a refused request could have changed, to compare before and after."""
    models = (Conversation, ConversationEvent, Message, Offer, Participant)
    unseen = {"visitor_seen_at"}
    rows = {}
    for model in models:
        names = [field.attname for field in model._meta.concrete_fields if field.name not in unseen]
        rows[model.__name__] = list(model.objects.order_by("pk").values_list(*names))
    return rows
