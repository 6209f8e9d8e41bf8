"""`make screenshots`: the pictures of the README, from a running portal with the demo and a talk in it."""

import os
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.chromium import chromium

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
DESK = {"width": 1440, "height": 900}
CHAT = {"width": 500, "height": 760}
PASSWORD = "livedesk"
START_SECONDS = 60

ANA = (
    ("agent", "Hello Ana, let me look. Which address do you see there?"),
    ("visitor", "Rua do Sol 8. It should be Rua das Flores 21, 2º, Porto."),
    (
        "agent",
        "The parcel goes to Rua das Flores 21, only the page was late. Could you reload it and tell me what it shows?",
    ),
    ("visitor", "Now it is right: https://shop.example.com/orders/48213"),
)
NOTE = "Changed in the warehouse yesterday; the page reads it once a day."
# Seconds that each conversation has lasted in the pictures, and between its lines.
LASTED = {"Ana Pereira": (271, 38), "Jonas Thiel": (718, 45), "Mei Kobayashi": (1100, 60)}
PASSED = "strftime('%Y-%m-%d %H:%M:%f', {column}, ?)"


class Portal:
    """A server of its own on the data of a folder."""

    def __init__(self, environment, folder):
        self.environment, self.database = environment, Path(folder) / "livedesk.sqlite3"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        with socket.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", self.port))
            listening.listen(128)
            serve = [sys.executable, "manage.py", "serve", "--fd", str(listening.fileno())]
            self.server = subprocess.Popen(serve, cwd=ROOT, env=self.environment, pass_fds=[listening.fileno()])
        urllib.request.urlopen(f"{self.url}/chat/", timeout=START_SECONDS).close()

    def stop(self):
        self.server.send_signal(signal.SIGTERM)
        self.server.wait()


@contextmanager
def running_portal():
    """A portal with the demo in a fresh folder."""
    with tempfile.TemporaryDirectory(prefix="livedesk-pictures-") as folder:
        environment = {**os.environ, "LIVEDESK_EMBEDDED": "1", "LIVEDESK_DATA": folder, "LOG_LEVEL": "WARNING"}
        for name in ("DATABASE_URL", "REDIS_URL"):
            environment.pop(name, None)
        environment["SECRET_KEY"] = secrets.token_urlsafe(50)
        for command in ("migrate --verbosity 0", "demo --once", "messages --compile", "collectstatic --no-input -v 0"):
            run = [sys.executable, "manage.py", *command.split()]
            subprocess.run(run, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        portal = Portal(environment, folder)
        portal.start()
        try:
            yield portal
        finally:
            portal.stop()


class Stage:
    """People with pages of their own in one browser."""

    def __init__(self, browser, url):
        self.browser, self.url = browser, url

    def person(self, **options):
        context = self.browser.new_context(
            base_url=self.url, locale="en-GB", timezone_id="Europe/Madrid", device_scale_factor=1, **options
        )
        return context.new_page()

    def staff(self, username, path):
        page = self.person(viewport=DESK)
        page.goto(path)
        page.get_by_label("Username").fill(username)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{path}")
        return page

    def visitor(self, name, question, *, queue="orders", email=""):
        page = self.person(viewport=CHAT)
        page.goto(f"/chat/{queue}/", referer="https://shop.example.com/orders/48213")
        page.get_by_label("Your name").fill(name)
        page.get_by_label("Email").fill(email)
        page.get_by_label("Your question").fill(question)
        page.get_by_role("button", name="Start chat").click()
        page.wait_for_url("**/chat/current/")
        return page


def write(page, text):
    """Send it, and wait until the server has it."""
    box = page.locator("form.composer textarea")
    box.fill(text)
    box.press("Enter")
    expect(page.locator("li.message.ours").last).to_contain_text(re.compile("Sent|Delivered|Read"))


def note(desk, text):
    """Leave an internal note, and go back to answering the customer."""
    toggle = desk.get_by_role("button", name="Internal note", exact=True)
    toggle.click()
    desk.locator("form.composer textarea").fill(text)
    desk.get_by_role("button", name="Save note").click()
    expect(desk.locator("li.message.note[data-number]")).to_contain_text(text)
    if toggle.get_attribute("aria-pressed") == "true":
        toggle.click()


def accept(desk, name):
    requests = desk.get_by_role("region", name="Requests")
    requests.get_by_role("article", name=name).get_by_role("button", name="Accept").click()
    expect(desk.get_by_role("textbox", name=f"Reply to {name}")).to_be_visible()


def open_task(desk, name):
    desk.get_by_role("region", name="Tasks").get_by_role("link", name=name).click()
    expect(desk.get_by_role("textbox", name=f"Reply to {name}")).to_be_visible()


def serve_others(stage, desk):
    """Three more conversations: one in wrap-up, one that waits for an answer, one with unread lines."""
    rosa = stage.visitor("Rosa Silva", "Can I pay by invoice?")
    accept(desk, "Rosa Silva")
    write(desk, "Yes, choose Invoice at the checkout.")
    expect(rosa.get_by_text("choose Invoice")).to_be_visible()
    desk.get_by_role("button", name="End", exact=True).click()
    expect(desk.get_by_role("dialog", name="Closing reasons")).to_be_visible()
    desk.keyboard.press("Escape")
    stage.visitor("Mei Kobayashi", "Thanks, checking that now", queue="returns", email="mei.kobayashi@example.com")
    accept(desk, "Mei Kobayashi")
    jonas = stage.visitor("Jonas Thiel", "Hello, is anybody there?")
    accept(desk, "Jonas Thiel")
    return jonas


def play(stage, desk):
    """Ana's talk, in front of the others; her page at the end of it."""
    jonas = serve_others(stage, desk)
    question = "Hi, it is me again. The page of order 48213 still shows my old address."
    ana = stage.visitor("Ana Pereira", question, email="ana.pereira@example.com")
    accept(desk, "Ana Pereira")
    for who, text in ANA[:2]:
        write({"visitor": ana, "agent": desk}[who], text)
    note(desk, NOTE)
    for who, text in ANA[2:]:
        write({"visitor": ana, "agent": desk}[who], text)
    expect(desk.get_by_role("log").get_by_text(ANA[-1][1])).to_be_visible()
    for text in ("The parcel is not here yet.", "It was due on Friday."):
        write(jonas, text)
    expect(desk.get_by_role("link", name="Jonas Thiel").locator(".badge")).to_contain_text("2")
    return ana


def let_time_pass(database):
    """A talk in real time would take a quarter of an hour; the rows say that it did."""
    with sqlite3.connect(database, timeout=START_SECONDS) as rows:
        for name, (lasted, pause) in LASTED.items():
            ((conversation,),) = rows.execute(
                "SELECT id FROM conversations_conversation WHERE visitor_name = ? AND state = 'active'", [name]
            )
            for table, column, key, seconds in (
                ("conversations_conversation", "answered_at", "id", lasted),
                ("conversations_conversation", "queued_at", "id", lasted + pause),
                ("conversations_participant", "joined_at", "conversation_id", lasted),
            ):
                change = f"UPDATE {table} SET {column} = {PASSED.format(column=column)} WHERE {key} = ?"
                rows.execute(change, [f"-{seconds} seconds", conversation])
            numbers = rows.execute("SELECT number FROM conversations_message WHERE conversation_id = ?", [conversation])
            for (number,) in numbers.fetchall():
                change = f"UPDATE conversations_message SET created_at = {PASSED.format(column='created_at')}"
                at = f"{min((number - 2) * pause - lasted, 0)} seconds"
                rows.execute(f"{change} WHERE conversation_id = ? AND number = ?", [at, conversation, number])
        change = f"UPDATE agents_agent SET state_since = {PASSED.format(column='state_since')} WHERE username = 'lucia'"
        rows.execute(change, ["-2840 seconds"])


def settle(page):
    """Fonts and pictures are there and nothing moves any more."""
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)))")


def take(page, name):
    settle(page)
    page.screenshot(path=PICTURES / f"{name}.png", animations="disabled", caret="hide")
    print(f"docs/pictures/{name}.png")


def main():
    PICTURES.mkdir(parents=True, exist_ok=True)
    with running_portal() as portal, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium().options)
        stage = Stage(browser, portal.url)
        desk = stage.staff("lucia", "/desk/")
        expect(desk.get_by_text("Connected", exact=True)).to_be_visible()
        desk.locator("#state-button").click()
        desk.get_by_role("menuitem", name="Available", exact=True).click()
        expect(desk.get_by_role("button", name="Available")).to_be_visible()
        ana = play(stage, desk)
        portal.stop()
        let_time_pass(portal.database)
        portal.start()  # a server keeps the lines that it drew
        for page in (ana, desk):
            page.reload()
            expect(page.get_by_role("log")).to_contain_text(ANA[-1][1])
        desk.get_by_role("textbox", name="Reply to Ana Pereira").click()
        take(ana, "chat")
        zip_question = "The jacket arrived with a broken zip. I would like to send it back, can I use the same box?"
        stage.visitor("Dewi Nugroho", zip_question, queue="returns")
        ring = desk.get_by_role("region", name="Requests").locator("[data-seconds]")
        expect(ring).to_have_text("22", timeout=START_SECONDS * 1000)
        take(desk, "desk")
        take(stage.staff("vera", "/admin/"), "admin")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
