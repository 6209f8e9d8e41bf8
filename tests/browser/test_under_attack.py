"""
What visitors write is shown as they typed it: no script runs, no element appears, no policy has to step in.

Chats are started over HTTP with a trick in every field and header; the short version uses every trick and every field,
the long one (LIVEDESK_SOAK=1) each trick in each field.
"""

import os
import re

import pytest
from playwright.sync_api import expect

from agents.models import Agent
from conversations.actions import closing
from conversations.models import Conversation, Offer
from conversations.states import State
from tests import make
from tests.browser import people
from tests.browser.attackers import FIELDS, TRICKS, Attacker
from tests.browser.test_attention import BEHIND, WITNESS
from tests.proofs.broken_serve import BrokenPortal

GUARD = """
window.reports = [];
document.addEventListener("securitypolicyviolation", (event) => window.reports.push(event.violatedDirective));
for (const name of ["alert", "confirm", "prompt", "print"]) window[name] = () => window.reports.push(name);
"""
# What only an attacker would put on our pages.
FOREIGN = """
script:not([src]):not([type="application/json"]), script[src*="evil"], style, base, object, embed, meta[http-equiv],
iframe, img[src="x"], [onerror], [onload], [onmouseover], [srcdoc], [hx-get="/sign-out/"], form[action*="evil"],
a[href^="javascript" i], a[href^="data" i], bdi :not(mark)
"""
LINKS = """() => [...document.links].filter((a) => a.origin !== location.origin).map((a) => [a.protocol, a.rel])"""
AT_ONCE = 5  # so many requests the desk shows whole
PLACES = {
    "request": ("name", "question"),
    "notification": ("name", "question"),
    "panel": ("name",),
    "title": ("name",),
    "task": ("name", "message"),
    "thread": ("question", "message", "file"),
    "customer": ("name", "email", "page", "referer", "user_agent", "language"),
    "admin list": ("name",),
    "admin transcript": ("name", "email", "question", "message", "file", "page", "referer", "user_agent", "language"),
}


def findings(page):
    """What stands on the page, or was refused by its policy, and should not have been there."""
    foreign = page.locator(FOREIGN.strip())
    return page.evaluate("window.reports") + [one.evaluate("(e) => e.outerHTML") for one in foreign.all()]


def guard(page):
    page.context.add_init_script(GUARD)
    page.on("dialog", lambda dialog: pytest.fail(f"A dialog: {dialog.message}"))
    return page


def folded(text):
    return " ".join(text.split())


@pytest.fixture
def soak():
    """Whether this is the long version."""
    return os.environ.get("LIVEDESK_SOAK") == "1"


@pytest.fixture
def orders(transactional_db):
    make.file_types()
    queue = make.queue("Orders", offer_timeout_seconds=120, waiting_grace_seconds=600)  # none of them has a page
    make.closing_reason(queue, "Resolved", is_default=True)
    people.agent("Lucía Marín", queue, capacity=20)
    return queue


@pytest.fixture
def desk(orders, person, portal):
    page = guard(person())
    page.context.add_init_script(WITNESS)
    return people.become_available(people.sign_in(page, "lucia"))


def expect_tricks(place):
    for trick in TRICKS:
        expect(place).to_contain_text(trick)


def see_requests(desk, attackers):
    """All of them stand whole on the desk, and the system was told of each; answers the offer of each."""
    expect(people.requests(desk).get_by_role("article")).to_have_count(len(attackers), timeout=30_000)
    offers = {one.conversation_id: one.pk for one in Offer.objects.filter(state="pending")}
    ids = [f"offer-{offers[attacker.talk.pk]}" for attacker in attackers]
    told = "(ids) => ids.every((id) => window.notifications.some((one) => one.tag === id))"
    desk.wait_for_function(told, arg=ids)
    notifications = {one["tag"]: one for one in desk.evaluate("window.notifications")}
    for attacker, its_id in zip(attackers, ids, strict=True):
        request = desk.locator(f"#{its_id}")
        expect(request.locator("h2")).to_have_text(attacker.words["name"])
        expect(request.locator(".offer-thread")).to_contain_text(attacker.words["question"])
        assert notifications[its_id]["title"] == f"New request from {attacker.words['name']}, Orders"
        assert folded(notifications[its_id]["body"]) == folded(attacker.words["question"])
    assert findings(desk) == []
    return ids


def see_conversation(desk, attacker):
    """The panel, the title, the task, the thread and the customer's pane of the conversation that is open."""
    words = attacker.words
    thread, customer = desk.get_by_role("log"), desk.locator("#customer")
    expect(desk.locator(".panel h1")).to_have_text(words["name"])
    expect(desk).to_have_title(re.compile(re.escape(f"{words['name']} · Livedesk") + "$"))
    expect(thread).to_contain_text(words["message"])
    expect(thread).to_contain_text(words["question"])
    expect(thread.get_by_alt_text(words["file"], exact=True)).to_be_visible()
    task = desk.locator(f"#task-{attacker.talk.pk}")
    expect(task.locator(".who")).to_have_text(words["name"])
    expect(task.locator(".last > bdi")).to_have_text(words["message"])
    for shown in (words["name"], words["email"], attacker.address, "English"):
        expect(customer).to_contain_text(shown)
    expect(customer.get_by_title("Firefox")).to_have_attribute("title", words["user_agent"])
    assert findings(desk) == []
    return {tuple(link) for link in desk.evaluate(LINKS)}


def see_admin(admin, attackers):
    """The list, however many pages it has, and the transcript of each conversation."""
    listed = ""
    for number in range(1, 2 + len(attackers) // 50):
        admin.goto(f"/admin/conversations/conversation/?p={number}")
        listed += folded(admin.locator("#result_list").text_content())
        assert findings(admin) == []
    for attacker in attackers:
        words = attacker.words
        assert words["name"] in listed
        admin.goto(f"/admin/conversations/conversation/{attacker.talk.pk}/change/")
        content = admin.locator("#content")
        expect(content.locator(".facts")).to_contain_text(words["name"])
        for field in ("email", "question", "message", "file"):
            expect(content).to_contain_text(words[field])
        expect(content.locator(".facts")).to_contain_text(attacker.address)
        expect(content.locator(".facts")).to_contain_text("English")
        expect(content.get_by_title("Firefox")).to_have_attribute("title", words["user_agent"])
        assert findings(admin) == []


def make_room(attackers):
    """An agent holds no more than 20: whoever was looked at before the last ones is finished with."""
    vera = Agent.objects.filter(username="vera").first() or make.supervisor(username="vera", password=people.PASSWORD)
    for talk in Conversation.objects.filter(pk__in=[one.talk.pk for one in attackers], state=State.ACTIVE):
        closing.finish_by_supervisor(talk.pk, make.closing_reason(talk.queue).pk, by=vera)


def attack(portal, desk, rows):
    """Visitors come, a few at a time, and what each of them wrote is looked at: answers them and the links seen."""
    attackers, links = [], set()
    for first in range(0, len(rows), AT_ONCE):
        desk.evaluate(BEHIND)
        group = [Attacker(portal, row).start() for row in rows[first : first + AT_ONCE]]
        for attacker, its_id in zip(group, see_requests(desk, group), strict=True):
            desk.locator(f"#{its_id}").get_by_role("button", name="Accept").click()
            attacker.write()
            links |= see_conversation(desk, attacker)
        attackers += group
        make_room(attackers[:-AT_ONCE])
    return attackers, links


def tell_what_was_seen(attackers):
    """Which trick of which field stood where; prints how many, and answers the tricks and the fields."""
    used = {pair for attacker in attackers for pair in attacker.tricks.items()}
    seen = {(place, field, trick) for place, fields in PLACES.items() for field, trick in used if field in fields}
    print(
        f"{len(used)} pairs of {len(TRICKS)} tricks and {len(FIELDS)} fields, {len(seen)} times at {len(PLACES)} places"
    )
    return {trick for _field, trick in used}, {field for field, _trick in used}, used


def test_every_field_is_shown_as_it_was_typed_and_nothing_runs(desk, person, portal, soak):
    attackers, links = attack(portal, desk, range(2 * len(TRICKS) if soak else AT_ONCE))

    see_admin(people.sign_in(guard(person()), "vera"), attackers)
    tricks, fields, pairs = tell_what_was_seen(attackers)
    assert tricks == set(TRICKS)
    assert fields == set(FIELDS)
    assert len(pairs) == len(TRICKS) * len(FIELDS) or not soak
    assert {protocol for protocol, _rel in links} == {"https:", "mailto:"}
    assert {rel for protocol, rel in links if protocol != "mailto:"} == {"noopener nofollow"}


def test_every_trick_as_a_message_is_shown_wherever_messages_are(desk, person, portal):
    attacker = Attacker(portal, 0).start()
    people.requests(desk).get_by_role("button", name="Accept").click()
    for trick in TRICKS:
        attacker.say(trick)
    expect_tricks(desk.get_by_role("log"))
    assert findings(desk) == []
    links = {tuple(link) for link in desk.locator("[role=log]").evaluate(LINKS)}
    assert links == {("https:", "noopener nofollow"), ("mailto:", "noopener nofollow"), ("mailto:", "")}
    see_chat(person, portal, attacker)

    closing.end_by_visitor(attacker.talk.pk)
    expect(people.closing_dialog(desk)).to_be_visible()
    people.finish(desk)
    desk.goto("/desk/conversations/?text=onerror%3Dalert")
    found = desk.locator("#found")
    expect(found.locator("mark").first).to_contain_text("onerror")
    for field in ("name", "email"):
        expect(found).to_contain_text(attacker.words[field])
    found.locator("a.result").click()
    expect_tricks(desk.locator("#transcript-body"))
    assert findings(desk) == []

    make.supervisor(username="vera", password=people.PASSWORD)
    admin = people.sign_in(guard(person()), "vera")
    admin.goto(f"/admin/conversations/conversation/{attacker.talk.pk}/change/")
    expect_tricks(admin.locator("#content"))
    assert findings(admin) == []


def see_chat(person, portal, attacker):
    """The visitor's own page shows them as typed, too."""
    chat = guard(person())
    token = attacker.cookies["livedesk_visitor"]
    chat.context.add_cookies([{"name": "livedesk_visitor", "value": token, "url": portal.url}])
    chat.goto("/chat/current/")
    expect_tricks(chat.get_by_role("log"))
    assert findings(chat) == []


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


def test_a_build_that_escapes_nothing_is_found_out_by_the_request(browser, orders, tmp_path):
    """The mutant: templates take every value for markup."""
    broken = BrokenPortal(tmp_path, "tests.proofs.mutants_of_rights:nothing_is_escaped").start()
    context = browser.new_context(base_url=broken.url, locale="en-GB")
    try:
        page = people.become_available(people.sign_in(guard(context.new_page()), "lucia"))
        Attacker(broken, 2).start()
        expect(page.locator("#requests [data-offer]")).to_have_count(1, timeout=30_000)
        assert findings(page)
    finally:
        context.close()
        broken.kill()
