"""What visitors write is shown as they typed it: no script runs, no element appears, no policy has to step in."""

import re
import secrets

import pytest
from playwright.sync_api import expect

from conversations import visitors
from conversations.actions import closing, files, messaging
from conversations.actions.opening import Opening, open_conversation
from conversations.states import Party
from tests import make
from tests.browser import people
from tests.browser.test_attention import BEHIND, WITNESS
from tests.files.samples import picture, upload
from tests.live.sockets import visitor_with_cookie
from tests.proofs.broken_serve import BrokenPortal

NAME = """<img src=x onerror=alert(1)>"'{{7*7}}<script>alert(1)</script>"""
EMAIL = '"<svg/onload=alert(1)>"@example.com'
QUESTION = "</textarea><script>alert(1)</script><svg onload=alert(1)>"
PAGE = """https://shop.example.com/"onmouseover="alert(1)"><script>alert(1)</script>"""
BROWSER = """Mozilla/5.0 (X11; Linux x86_64; rv:140.0) "><img src=x onerror=alert(1)> Gecko/20100101 Firefox/140.0"""
FILE = """a"onerror="alert(1).png"""
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
GUARD = """
window.reports = [];
document.addEventListener("securitypolicyviolation", (event) => window.reports.push(event.violatedDirective));
for (const name of ["alert", "confirm", "prompt", "print"]) window[name] = () => window.reports.push(name);
"""
# What only an attacker would put on our pages.
FOREIGN = """
script:not([src]):not([type="application/json"]), script[src*="evil"], style, base, object, embed, meta[http-equiv],
iframe, img[src="x"], [onerror], [onload], [onmouseover], [srcdoc], [hx-get="/sign-out/"], form[action*="evil"],
a[href^="javascript" i], a[href^="data" i]
"""
LINKS = """() => [...document.querySelectorAll('a[target="_blank"]')].map((a) => [a.protocol, a.rel])"""


def findings(page):
    """What stands on the page, or was refused by its policy, and should not have been there."""
    foreign = page.locator(FOREIGN.strip())
    return page.evaluate("window.reports") + [one.evaluate("(e) => e.outerHTML") for one in foreign.all()]


def guard(page):
    page.context.add_init_script(GUARD)
    page.on("dialog", lambda dialog: pytest.fail(f"A dialog: {dialog.message}"))
    return page


def post(conversation, text, *handles):
    messaging.post(messaging.Draft(conversation.pk, Party.VISITOR, text, secrets.token_hex(8), files=handles))


def attack(queue, token_hash):
    """A visitor whose every word is a trick."""
    words = {"name": NAME, "email": EMAIL, "question": QUESTION, "page_address": PAGE, "user_agent": BROWSER}
    opening = Opening(token_hash=token_hash, key=secrets.token_hex(8), language="<b>x", **words)
    return open_conversation(queue.pk, opening)


def write_tricks(conversation):
    for trick in TRICKS:
        post(conversation, trick)
    sender = files.Sender(conversation.pk, Party.VISITOR)
    attached = files.upload(upload(FILE, picture()), sender)
    post(conversation, "See this", str(attached.handle))
    return attached.name


@pytest.fixture
def orders(transactional_db):
    make.file_types()
    queue = make.queue("Orders", offer_timeout_seconds=120)
    make.closing_reason(queue, "Resolved", is_default=True)
    people.agent("Lucía Marín", queue, capacity=10)
    return queue


def expect_tricks(place):
    for trick in TRICKS:
        expect(place).to_contain_text(trick)


def test_everything_is_shown_as_it_was_typed_and_nothing_runs(orders, person, portal):
    desk = guard(person())
    desk.context.add_init_script(WITNESS)
    people.become_available(people.sign_in(desk, "lucia"))
    desk.evaluate(BEHIND)
    _visitor, cookie = visitor_with_cookie(NAME)
    name, _, token = cookie.partition("=")
    talk = attack(orders, visitors.token_hash_in(token))

    request = people.requests(desk).get_by_role("article")
    for trick in (NAME, QUESTION):
        expect(request).to_contain_text(trick)
    desk.wait_for_function("() => window.notifications.length > 0")
    assert NAME in desk.evaluate("window.notifications[0].title")
    request.get_by_role("button", name="Accept").click()
    expect(desk.locator(".panel h1")).to_have_text(NAME)
    expect(desk).to_have_title(re.compile(re.escape(NAME)))
    file_name = write_tricks(talk)
    thread = desk.get_by_role("log")
    expect(thread.get_by_alt_text(file_name, exact=True)).to_be_visible()
    expect_tricks(thread)
    expect(desk.locator("#tasks")).to_contain_text(NAME)
    for trick in (NAME, EMAIL, PAGE, "<b>x"):
        expect(desk.locator("#customer")).to_contain_text(trick)
    expect(desk.locator('#customer [title*="onerror"]')).to_have_attribute("title", BROWSER)
    assert {tuple(link) for link in desk.evaluate(LINKS)} <= {
        (protocol, "noopener nofollow") for protocol in ("http:", "https:", "mailto:")
    }
    assert findings(desk) == []

    chat = guard(person())
    chat.context.add_cookies([{"name": name, "value": token, "url": portal.url}])
    chat.goto("/chat/current/")
    expect_tricks(chat.get_by_role("log"))
    assert findings(chat) == []

    closing.end_by_visitor(talk.pk)
    expect(people.closing_dialog(desk)).to_be_visible()
    people.finish(desk)
    desk.goto("/desk/conversations/?text=onerror%3Dalert")
    found = desk.locator("#found")
    expect(found.locator("mark").first).to_contain_text("onerror")
    for trick in (NAME, EMAIL):
        expect(found).to_contain_text(trick)
    found.locator("a.result").click()
    expect_tricks(desk.locator("#transcript-body"))
    assert findings(desk) == []

    make.supervisor(username="vera", password=people.PASSWORD)
    admin = guard(person())
    people.sign_in(admin, "vera")
    admin.goto("/admin/conversations/conversation/")
    expect(admin.locator("#result_list")).to_contain_text(NAME)
    assert findings(admin) == []
    admin.goto(f"/admin/conversations/conversation/{talk.pk}/change/")
    for trick in (NAME, EMAIL):
        expect(admin.locator("#content")).to_contain_text(trick)
    expect_tricks(admin.locator("#content"))
    assert findings(admin) == []


def test_a_build_that_does_not_escape_is_found_out(browser, orders, tmp_path):
    """The mutant: the words of a message are taken for markup."""
    lucia = make.agent("Jonas", queues=[orders], username="jonas", password=people.PASSWORD)
    talk = make.active_conversation(lead=lucia, queue=orders)
    broken = BrokenPortal(tmp_path, "tests.proofs.mutants_operable:words_are_markup").start()
    context = browser.new_context(base_url=broken.url, locale="en-GB")
    try:
        for trick in TRICKS[:4]:
            make.message(talk, trick)
        page = guard(context.new_page())
        people.sign_in(page, "jonas")
        page.goto(f"/desk/conversations/{talk.pk}/")
        expect(page.get_by_role("log")).to_be_visible()

        assert findings(page)
    finally:
        context.close()
        broken.kill()
