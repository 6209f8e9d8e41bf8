"""Files both ways, in real pages: by button, by drop and by paste; refused, cancelled, and tried again."""

import base64

import pytest
from playwright.sync_api import expect

from tests import make
from tests.browser import people
from tests.files import samples
from tests.files.samples import picture

PASTE = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  const event = new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
  document.querySelector("form.composer textarea").dispatchEvent(event);
}"""
DROP = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type }));
  const place = document.querySelector(".thread");
  for (const kind of ["dragenter", "dragover", "drop"]) {
    place.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
  }
}"""


def coded(name, kind, content):
    return [name, kind, base64.b64encode(content).decode()]


@pytest.fixture
def talk(person, portal):
    """Lucía's desk and Ana's chat, in one conversation."""
    make.file_types()
    orders = make.queue("Orders")
    make.agent("Lucía", queues=[orders], username="lucia", password="a long password", is_connected=False)
    ana, lucia = person(), person()
    lucia.goto("/sign-in/")
    lucia.get_by_label("Username").fill("lucia")
    lucia.get_by_label("Password").fill("a long password")
    lucia.keyboard.press("Enter")
    lucia.wait_for_url("**/desk/**")
    if lucia.locator("#state-button, #state button").first.inner_text().strip().startswith("Idle"):
        lucia.locator("#state button").first.click()
        lucia.get_by_role("menuitem", name="Available").click()
    ana.goto("/chat/orders/")
    ana.get_by_label("Your name").fill("Ana Pereira")
    ana.get_by_label("Your question").fill("Can I send you my confirmation?")
    ana.get_by_role("button", name="Start chat").click()
    ana.wait_for_url("**/chat/current/")
    lucia.get_by_role("region", name="Requests").get_by_role("button", name="Accept").click()
    lucia.get_by_role("textbox", name="Reply to Ana Pereira").wait_for()
    return ana, lucia


def choose(page, *files):
    page.locator("[data-attach-picker]").set_input_files(
        [{"name": name, "mimeType": kind, "buffer": content} for name, kind, content in files]
    )


def ready(page, name):
    page.locator(f'.attachment[data-state="ready"]:has-text("{name}")').wait_for()


def expect_seen(sentence):
    """It stands there for the eye, not for screen readers alone."""
    expect(sentence).to_be_visible()
    assert sentence.bounding_box()["height"] > 10


def test_files_go_both_ways_by_button_drop_and_paste(talk):
    ana, lucia = talk

    expect(ana.get_by_role("button", name="Attach a file")).to_be_visible()
    choose(ana, ("order-48213.pdf", "application/pdf", samples.PDF), ("notes.txt", "text/plain", samples.TEXT))
    ready(ana, "order-48213.pdf")
    ready(ana, "notes.txt")
    ana.get_by_role("textbox", name="Message").fill("Here it is.")
    ana.keyboard.press("Enter")
    link = lucia.get_by_role("log").get_by_role("link", name="order-48213.pdf")
    link.wait_for()
    lucia.get_by_role("log").get_by_text("Here it is.").wait_for()
    assert "PDF" in link.inner_text()
    with lucia.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "order-48213.pdf"

    lucia.evaluate(DROP, coded("label.png", "image/png", picture("PNG", (900, 600))))
    ready(lucia, "label.png")
    lucia.get_by_role("textbox", name="Reply to Ana Pereira").press("Enter")
    shown = ana.get_by_role("log").get_by_role("img", name="label.png")
    shown.wait_for()
    ana.wait_for_function("() => document.querySelector('.file-picture img').naturalWidth === 480")

    ana.evaluate(PASTE, coded("image.png", "image/png", picture("PNG", (30, 30))))
    ana.locator('.attachment[data-state="ready"]').wait_for()
    ana.get_by_role("button", name="Send").click()
    lucia.get_by_role("log").get_by_role("img", name="20").wait_for()
    expect(ana.locator(".attachment")).to_have_count(0)


def test_a_refused_file_says_why_and_is_removed_before_sending(talk):
    ana, _lucia = talk

    choose(ana, ("page.txt", "text/plain", samples.HTML))
    ana.locator(".attachment").get_by_text("not a TXT file inside").wait_for()
    ana.get_by_role("textbox", name="Message").fill("Look at this")
    ana.keyboard.press("Enter")
    ana.get_by_text("Remove the files that cannot be sent").wait_for()
    ana.get_by_role("button", name="Remove page.txt").press("Enter")
    ana.get_by_role("textbox", name="Message").press("Enter")

    ana.get_by_role("log").get_by_text("Look at this").wait_for()


def test_a_refused_file_comes_into_sight_below_the_others(talk):
    ana, _lucia = talk
    taken = [
        (f"a long name of a page that takes all the width {n}.txt", "text/plain", b"Some words.") for n in range(4)
    ]

    choose(ana, *taken, ("page.txt", "text/plain", samples.HTML))

    expect(ana.locator(".attachment").get_by_text("not a TXT file inside")).to_be_in_viewport()


def test_who_chooses_too_many_files_sees_that_some_were_left_out(talk):
    ana, _lucia = talk

    choose(ana, *((f"letter {n}.txt", "text/plain", b"Some words.") for n in range(12)))

    expect(ana.locator(".attachment")).to_have_count(10)
    expect_seen(ana.get_by_text("A message can have up to 10 files."))


def test_an_upload_can_be_cancelled_and_a_lost_one_tried_again(talk):
    ana, lucia = talk
    held = []
    ana.route("**/chat/current/files/", lambda route: held.append(route))

    choose(ana, ("order.pdf", "application/pdf", samples.PDF))
    people.until(ana, lambda: held, "The first upload begins.")
    ana.get_by_role("button", name="Cancel order.pdf").click()
    ana.locator(".attachment").wait_for(state="detached")

    choose(ana, ("letter.pdf", "application/pdf", samples.PDF))
    ana.wait_for_function("() => document.querySelectorAll('.attachment').length === 1")
    ana.get_by_role("textbox", name="Message").fill("My letter")
    ana.keyboard.press("Enter")
    ana.get_by_text("goes as soon as its files have arrived").wait_for(state="attached")
    people.until(ana, lambda: len(held) == 2, "Both uploads begin.")
    for route in held:
        route.abort()
    ana.locator('.attachment[data-state="failed"]').wait_for()
    ana.unroute("**/chat/current/files/")
    ana.get_by_role("button", name="Try again: letter.pdf").click()
    ready(ana, "letter.pdf")
    ana.get_by_role("button", name="Send").click()

    lucia.get_by_role("log").get_by_role("link", name="letter.pdf").wait_for()
    lucia.get_by_role("log").get_by_text("My letter").wait_for()


@pytest.mark.parametrize("is_back", [False, True], ids=["elsewhere", "back again"])
def test_a_message_that_waits_for_its_files_goes_from_a_conversation_that_was_left(talk, is_back):
    ana, lucia = talk
    held = []
    lucia.route("**/files/", lambda route: held.append(route))
    choose(lucia, ("prices.pdf", "application/pdf", samples.PDF))
    people.write(people.reply_box(lucia), "Our prices")
    people.until(lucia, lambda: held, "The upload begins.")
    expect_seen(lucia.get_by_text("goes as soon as its files have arrived"))

    lucia.get_by_role("link", name="My day").click()
    expect(lucia.get_by_role("heading", name="My day")).to_be_visible()
    if is_back:
        lucia.get_by_role("region", name="Tasks").get_by_role("link", name="Ana Pereira").click()
        expect(people.reply_box(lucia)).to_have_value("Our prices")
        expect_seen(lucia.get_by_text("goes as soon as its files have arrived"))
    held[0].continue_()

    expect(people.bubble(ana, "Our prices").get_by_role("link", name="prices.pdf")).to_be_visible()
    if not is_back:
        lucia.get_by_role("region", name="Tasks").get_by_role("link", name="Ana Pereira").click()
    expect(people.bubble(lucia, "Our prices")).to_have_count(1)
    expect(people.reply_box(lucia)).to_have_value("")


def test_what_has_arrived_stays_over_a_reload(talk):
    ana, lucia = talk

    choose(lucia, ("price list.pdf", "application/pdf", samples.PDF))
    ready(lucia, "price list.pdf")
    lucia.reload()
    ready(lucia, "price list.pdf")
    lucia.get_by_role("textbox", name="Reply to Ana Pereira").press("Enter")

    ana.get_by_role("log").get_by_role("link", name="price list.pdf").wait_for()
