"""Visitors whose every word is a trick: they start chats over HTTP, as a browser does, with headers of their own."""

import http.client
import re
import secrets
from urllib.parse import quote, urlencode

from conversations.forms import one_line
from conversations.models import Attachment, Conversation
from tests.files.samples import picture
from tests.pages.browsing import Page

TRICKS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example.com/x.js></sCrIpT>",
    '"><img src=x onerror=alert(1)>',
    "'><img src=x onerror=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    '<a href="javascript:alert(1)">click</a>',
    "javascript:alert(1)",
    "javascript://example.com/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    'https://example.com/"onmouseover="alert(1)',
    "https://example.com/'><script>alert(1)</script>",
    "ana@example.com'><img src=x onerror=alert(1)>",
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<div hx-get="/sign-out/" hx-trigger="load">x</div>',
    '<li id="message-1" hx-swap-oob="true">x</li>',
    "<meta http-equiv=refresh content=0;url=//evil.example.com>",
    "<base href=//evil.example.com/>",
    "<style>*{display:none}</style>",
    "<form action=//evil.example.com><button>OK</button></form>",
    "<template><script>alert(1)</script></template>",
    "</li></ol></div><h1>Owned</h1>",
    "<!-- --><!--><script>alert(1)</script>-->",
    "]]><script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;b&#62; &amp;amp;",
    "{{ 7*7 }} {% debug %} ${7*7} #{7*7} %(name)s {name}",
    "[x](javascript:alert(1)) ![x](x) **b** `c`",
    "\u202e<b>backwards</b>",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
]
# A page has one address: some say it in the form, the others come with a Referer, from which the form takes it.
FIELDS = ("name", "email", "question", "message", "user_agent", "language", "file", "page", "referer")
BETWEEN = 5  # seven fields of five visitors in a row hold every trick
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) {} Gecko/20100101 Firefox/140.0"


class Attacker:
    """One visitor: another trick in each field, so that rows 0 to 4 use every trick, and rows 0 to 55 every pair."""

    def __init__(self, portal, row):
        self.portal, self.cookies = portal, {}
        tricks = {field: TRICKS[(row + BETWEEN * place) % len(TRICKS)] for place, field in enumerate(FIELDS)}
        del tricks["page" if self.comes_by_referer(row) else "referer"]
        self.tricks = tricks
        self.words = {field: getattr(self, f"_as_{field}", str)(trick) for field, trick in tricks.items()}

    @staticmethod
    def comes_by_referer(row):
        return (row + row // len(TRICKS)) % 2 == 1

    # What each field takes

    _as_name = staticmethod(one_line)

    def _as_email(self, trick):
        """A mail address may hold nearly anything in quotation marks, but for what is not ASCII."""
        return '"' + re.sub(r'([\s"\\])', r"\\\1", trick.encode("ascii", "ignore").decode()) + '"@example.com'

    def _as_page(self, trick):
        return "https://shop.example.com/" + one_line(trick)

    def _as_referer(self, trick):
        return one_line(_as_bytes("https://elsewhere.example.com/" + trick))

    def _as_user_agent(self, trick):
        return one_line(_as_bytes(BROWSER.format(trick)))

    @property
    def address(self):
        return self.words.get("page") or self.words["referer"]

    # What a browser sends

    def ask(self, path, body=None, kind=None):
        """Status and text of one request, with all headers that can hold a trick."""
        cookies = {**self.cookies, "django_language": self.tricks["language"].partition(";")[0]}
        headers = {
            "User-Agent": BROWSER.format(self.tricks["user_agent"]),
            "Accept-Language": self.tricks["language"],
            "Accept": "text/html" if kind is None else "application/json",
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        }
        if "referer" in self.tricks:
            headers["Referer"] = "https://elsewhere.example.com/" + self.tricks["referer"]
        if body is not None:
            headers |= {"Content-Type": kind or "application/x-www-form-urlencoded", "Origin": self.portal.url}
        connection = http.client.HTTPConnection("127.0.0.1", self.portal.port, timeout=20)
        sent = {name: value.encode() for name, value in headers.items()}
        connection.request("POST" if body else "GET", path, body, sent)
        response = connection.getresponse()
        for header in response.headers.get_all("Set-Cookie", []):
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name] = value
        text = response.read().decode()
        connection.close()
        return response.status, text

    def start(self):
        """Open the page of a queue, and send its form."""
        status, text = self.ask("/chat/orders/")
        assert status == 200, text
        self.form = Page(text).fields()
        if "referer" in self.tricks:
            assert self.form["page"] == _as_bytes("https://elsewhere.example.com/" + self.tricks["referer"])
        else:
            self.form["page"] = "https://shop.example.com/" + self.tricks["page"]
        filled = {"name": self.tricks["name"], "email": self.words["email"], "question": self.tricks["question"]}
        status, text = self.ask("/chat/orders/", urlencode({**self.form, **filled}).encode())
        assert status == 302, text
        self.talk = Conversation.objects.order_by("-pk")[0]
        return self

    def say(self, text, *handles):
        fields = {"csrfmiddlewaretoken": self.form["csrfmiddlewaretoken"], "key": secrets.token_hex(8), "text": text}
        body = urlencode({**fields, "files": handles}, doseq=True).encode()
        status, answer = self.ask("/chat/current/messages/", body)
        assert status == 302, answer

    def send_file(self):
        """A picture under a deceiving name; answers the name that it got."""
        name, line = self.tricks["file"] + ".png", secrets.token_hex(8)
        token = self.form["csrfmiddlewaretoken"]
        form = (
            f'--{line}\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{token}\r\n'
            f"--{line}\r\nContent-Disposition: form-data; name=\"file\"; filename*=UTF-8''{quote(name, safe='')}\r\n"
            "Content-Type: image/png\r\n\r\n"
        )
        body = form.encode() + picture() + f"\r\n--{line}--\r\n".encode()
        status, answer = self.ask("/chat/current/files/", body, f"multipart/form-data; boundary={line}")
        assert status == 200, answer
        attached = Attachment.objects.order_by("-pk")[0]
        assert str(attached.handle) in answer
        # Only what parts folders, stands for another character or deceives is taken out of it.
        assert attached.name == name or set(name) & set("/\\&\u202e"), attached.name
        self.say("See this", attached.handle)
        self.words["file"] = attached.name

    def write(self):
        """Everything else that a visitor sends."""
        self.send_file()
        self.say(self.tricks["message"])


def _as_bytes(text):
    """A header's text as a server reads it."""
    return text.encode().decode("latin1")
