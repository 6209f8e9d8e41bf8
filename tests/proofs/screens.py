"""Open pages without a browser: the HTML as it was served, and after it what the socket sends, put in its place."""

import asyncio
import contextlib
import time
from html.parser import HTMLParser

from django.test import Client
from django.test.client import ClientHandler

from tests.live.sockets import Here, Page, in_database, page_of
from tests.proofs.asking import ask

VOID = {"br", "hr", "img", "input", "link", "meta", "source", "path", "use", "circle", "rect", "line"}
# What differs between two renderings of the same state: tokens of forms, and how a fragment says where it belongs.
NOT_COMPARED = {"hx-swap-oob"}
TOKENS = {"csrfmiddlewaretoken", "key"}
# One for all: a new one would look through all static files first, which takes longer than a page.
_handler = ClientHandler(enforce_csrf_checks=False)


class Node:
    """An element: its tag, its attributes, and what is inside."""

    def __init__(self, tag, attributes=()):
        self.tag = tag
        self.attributes = dict(attributes)
        self.inside = []

    @property
    def id(self):
        return self.attributes.get("id")

    def picture(self):
        """What a person could tell apart, as plain data."""
        if self.tag == "input" and self.attributes.get("name") in TOKENS:
            return None
        attributes = {name: value for name, value in self.attributes.items() if name not in NOT_COMPARED}
        parts = [part.picture() if isinstance(part, Node) else " ".join(part.split()) for part in self.inside]
        return self.tag, tuple(sorted(attributes.items(), key=str)), tuple(part for part in parts if part)


class Document(HTMLParser):
    """A page or a piece of one as a tree."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.root = Node("")
        self._open = [self.root]
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        node = Node(tag, attributes)
        self._open[-1].inside.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_startendtag(self, tag, attributes):
        self._open[-1].inside.append(Node(tag, attributes))

    def handle_endtag(self, tag):
        if any(node.tag == tag for node in self._open[1:]):
            while self._open.pop().tag != tag:
                pass

    def handle_data(self, data):
        inside = self._open[-1].inside
        if inside and isinstance(inside[-1], str):
            inside[-1] += data
        else:
            inside.append(data)

    def children(self):
        return [part for part in self.root.inside if isinstance(part, Node)]

    def find(self, its_id):
        """The element with this id that shows, and what it lies in."""
        return _find(self.root, its_id)

    def replace(self, its_id, new):
        node, around = self.find(its_id)
        if node is not None:
            around.inside[around.inside.index(node)] = new


def _find(around, its_id):
    for node in around.inside:
        if not isinstance(node, Node):
            continue
        if node.id == its_id:
            return node, around
        if node.tag != "template":
            found = _find(node, its_id)
            if found[0] is not None:
                return found
    return None, None


def get(server, cookie, address):
    """The page at this address, rendered now for who holds this cookie; None when it leads elsewhere."""
    if not isinstance(server, Here):
        status, html = ask(server.url + address, cookie)
        assert status in (200, 302, 404), f"{address}: {status}"
        return html if status == 200 else None
    client = Client()
    client.handler = _handler
    name, _, value = cookie.partition("=")
    client.cookies[name] = value
    response = client.get(address)
    return response.content.decode() if response.status_code == 200 else None


class Screen(Page):
    """
    One open page: as it stood when it was fetched, and with what its socket brought since.

    Frames are put in their place when somebody looks, so that nothing of it takes time from the server; when a frame
    came that changed what shows is kept.
    """

    parts = ()

    def __init__(self, server, cookie, address):
        super().__init__(server, "", cookie)
        self.server, self.page = server, address
        self.document, self.first = None, None
        self.changed_at = 0.0
        self._untaken = []

    async def fetch(self):
        """The page is there, and its socket is not yet open."""
        self.document = Document(await in_database(get, self.server, self.cookie, self.page))
        self.first = self.picture()

    async def __aenter__(self):
        was_away = self.document is not None
        if not was_away:
            await self.fetch()
        self.address = self.server.socket_url + self.socket_path()
        await page_of(self.server).__aenter__(self)
        if not was_away:
            await self.until_drawn()
            self.first = self.picture()
        return self

    async def __aexit__(self, *problem):
        await page_of(self.server).__aexit__(self, *problem)

    def socket_path(self):
        raise NotImplementedError

    def _take(self, frame):
        super()._take(frame)
        self._untaken.append((time.monotonic(), frame))

    def _catch_up(self):
        shown = picture_of(self.document, self.parts) if self._untaken else None
        while self._untaken:
            came_at, frame = self._untaken.pop(0)
            self._show(frame)
            before, shown = shown, picture_of(self.document, self.parts)
            if shown != before:
                self.changed_at = came_at

    def _show(self, frame):
        match frame["is"]:
            case "fragments":
                for part in Document(frame["html"]).children():
                    self._put(part)
            case "messages":
                self._append(frame)
            case "marks":
                thread, _ = self.document.find(f"thread-{frame['conversation']}")
                if thread is not None:
                    marks = {"data-delivered": str(frame["delivered"]), "data-read": str(frame["read"])}
                    thread.attributes |= marks
        self.settle()

    def settle(self):
        """What the page's script does after a frame."""

    def _put(self, part):
        assert part.id, f"A fragment without an id: {part.picture()}"
        standing, _ = self.document.find(part.id)
        kept = part.attributes.get("data-keep")
        if standing is None or (kept is not None and standing.attributes.get("data-keep") == kept):
            return
        self.document.replace(part.id, part)

    def _append(self, frame):
        thread, _ = self.document.find(f"thread-{frame['conversation']}")
        if thread is None:
            return
        for line in Document(frame["html"]).children():
            if self.document.find(line.id)[0] is None:
                thread.inside.append(line)
        thread.attributes["data-last"] = str(max(frame["last"], int(thread.attributes["data-last"])))

    def picture(self):
        """What shows now in the live parts of the page."""
        self._catch_up()
        return picture_of(self.document, self.parts)

    def took(self, since):
        """How long after this moment the page showed the last of what changed; 0 when nothing did."""
        self._catch_up()
        return max(0.0, self.changed_at - since)

    async def until_equal(self, seconds):
        """Wait until the page equals the one that is rendered fresh; answers in what it never did."""
        end = time.monotonic() + seconds
        while True:
            seen = len(self.frames)
            different = await self._unlike_fresh()
            if not different or time.monotonic() > end:
                return different
            await self.until_news(seen)

    async def _unlike_fresh(self):
        self._catch_up()
        html = await in_database(get, self.server, self.cookie, self.page)
        if html is None:
            return "" if self.code is not None else f"open, though {self.page} leads elsewhere now"
        mine, fresh = self.picture(), picture_of(Document(html), self.parts)
        parts = [part for part in self.parts if mine.get(part) != fresh.get(part)]
        return difference(mine.get(parts[0]), fresh.get(parts[0])) if parts else ""

    async def until_news(self, seen):
        """Wait for the next frame, or a moment: what changed may have come before we looked."""
        async with self._news:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait_for(lambda: len(self.frames) > seen or self.code), 0.3)


class DeskScreen(Screen):
    """An agent's desk, with a conversation open or without."""

    parts = ("state", "rona", "tasks", "requests", "conversation", "customer")

    def __init__(self, server, cookie, conversation=None):
        super().__init__(server, cookie, f"/desk/conversations/{conversation}/" if conversation else "/desk/")
        self.conversation = conversation

    def socket_path(self):
        thread, _ = self.document.find(f"thread-{self.conversation}")
        last = thread.attributes["data-last"] if thread else 0
        return f"/ws/desk/?open={self.conversation or ''}&last={last}"

    def settle(self):
        # A conversation that is in nobody's task list any more makes room for the empty desk.
        if self.conversation and self.document.find(f"task-{self.conversation}")[0] is None:
            self.conversation, self.page = None, "/desk/"
            for place, template in (("conversation", "no-conversation"), ("customer", "no-customer")):
                node, _ = self.document.find(template)
                self.document.replace(place, next(part for part in node.inside if isinstance(part, Node)))


class ChatScreen(Screen):
    """A visitor's chat page."""

    parts = ("status", "composer")

    def __init__(self, server, cookie, conversation):
        super().__init__(server, cookie, "/chat/current/")
        self.parts = (*self.parts, f"thread-{conversation}")
        self.conversation = conversation

    def socket_path(self):
        thread, _ = self.document.find(f"thread-{self.conversation}")
        return f"/ws/chat/?last={thread.attributes['data-last']}"


def picture_of(document, parts):
    """These parts of a page, as far as it has them."""
    found = {part: document.find(part)[0] for part in parts}
    return {part: node.picture() for part, node in found.items() if node is not None}


def difference(mine, fresh):
    """The smallest part in which two pictures differ, to read."""
    both = isinstance(mine, tuple) and isinstance(fresh, tuple) and len(mine) == len(fresh) == 3
    if both and mine[:2] == fresh[:2] and len(mine[2]) == len(fresh[2]):
        found = next(pair for pair in zip(mine[2], fresh[2], strict=True) if pair[0] != pair[1])
        return difference(*found)
    return f"{str(mine)[:600]} instead of {str(fresh)[:600]}"
