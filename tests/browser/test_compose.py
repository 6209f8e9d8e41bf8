"""The compose box by keyboard, and how both sides see each other: templates, emoji, notes, typing, marks."""

import re

import pytest
from playwright.sync_api import expect

from conversations.models import ReplyTemplate, RestrictedWord
from tests import make
from tests.browser import people
from tests.browser.test_accessibility import LOOKED_AT, SCHEMES, faults

TEXT = "Dear <customer name>,\nyour order <order number> comes on <date>. <agent name>"


@pytest.fixture
def orders(transactional_db):
    queue = make.queue("Orders")
    make.closing_reason(queue, "Resolved", is_default=True)
    people.agent("Lucía Marín", queue)
    ReplyTemplate.objects.create(title="Delivery date", shortcut="delivery", text=TEXT, queue=queue)
    ReplyTemplate.objects.create(title="Goodbye", text="Thank you for writing.")
    RestrictedWord.objects.create(word="darn")
    return queue


@pytest.fixture
def talk(orders, person):
    """A desk and a chat page in one talk."""

    def begin(**options):
        desk = people.become_available(people.sign_in(person(**options), "lucia"))
        visitor = people.start_chat(person(**options))
        people.accept(desk)
        return desk, visitor

    return begin


def search(desk):
    return desk.get_by_role("combobox", name="Search templates")


def test_a_template_is_found_filled_and_sent_by_keyboard_alone(talk):
    desk, visitor = talk()
    box = people.reply_box(desk)
    box.focus()

    desk.keyboard.type("/deliv")
    expect(desk.get_by_role("option", name=re.compile("Delivery date"))).to_have_attribute("aria-selected", "true")
    desk.keyboard.press("Enter")
    expect(box).to_be_focused()
    expect(box).to_have_value("Dear Ana Pereira,\nyour order <order number> comes on <date>. Lucía Marín")
    expect(desk.get_by_text("Fill in: <order number>, <date>")).to_be_visible()
    desk.keyboard.press("Enter")
    expect(desk.get_by_text("Fill in <order number>, or remove it, then send again.")).to_be_visible()
    desk.keyboard.type("48213")
    desk.keyboard.press("Tab")
    desk.keyboard.type("Friday")
    desk.keyboard.press("Enter")

    expect(people.bubble(visitor, "your order 48213 comes on Friday. Lucía Marín")).to_be_visible()
    expect(box).to_have_value("")


def test_enter_before_the_list_is_there_chooses_what_comes(talk):
    desk, _ = talk()
    people.reply_box(desk).focus()

    desk.keyboard.type("/thank")
    desk.keyboard.press("Enter")

    expect(people.reply_box(desk)).to_have_value("Thank you for writing.")


def test_arrows_go_through_the_templates_and_tab_chooses(talk):
    desk, _ = talk()
    people.reply_box(desk).focus()
    desk.keyboard.type("/")
    expect(desk.get_by_role("option")).to_have_count(2)

    desk.keyboard.press("ArrowDown")
    desk.keyboard.press("Tab")

    expect(people.reply_box(desk)).to_have_value("Thank you for writing.")
    expect(people.reply_box(desk)).to_be_focused()


def test_escape_gives_back_what_was_typed_and_the_focus(talk):
    desk, visitor = talk()
    people.reply_box(desk).focus()
    desk.keyboard.type("/path")
    expect(search(desk)).to_be_focused()

    desk.keyboard.press("Escape")

    expect(search(desk)).to_be_hidden()
    expect(people.reply_box(desk)).to_be_focused()
    expect(people.reply_box(desk)).to_have_value("/path")
    desk.keyboard.press("Enter")
    expect(people.bubble(visitor, "/path")).to_be_visible()


def test_after_the_last_parameter_tab_goes_on_to_the_tools(talk):
    desk, _ = talk()
    people.reply_box(desk).fill("Your <order number>")
    people.reply_box(desk).press("Home")

    desk.keyboard.press("Tab")
    expect(people.reply_box(desk)).to_be_focused()
    desk.keyboard.press("Tab")

    expect(people.reply_box(desk)).not_to_be_focused()


def test_an_emoji_is_put_at_the_cursor_by_keyboard_on_both_sides(talk):
    desk, visitor = talk()
    for page, box in ((desk, people.reply_box(desk)), (visitor, people.message_box(visitor))):
        foreign = []
        host = page.url.split("/")[2]
        page.on(
            "request", lambda request, host=host, foreign=foreign: host in request.url or foreign.append(request.url)
        )
        box.fill("Good day")
        box.press("Home")
        page.get_by_role("button", name="Emoji").press("Enter")
        field = page.get_by_role("combobox", name="Search")
        expect(field).to_be_focused()
        page.keyboard.type("gr")  # the fewest that are searched: once a result stands there, nothing is under way
        expect(page.get_by_role("option").first).to_be_visible(timeout=20_000)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")

        expect(box).to_be_focused()
        expect(box).to_have_value(re.compile("^.{1,2}Good day$"))
        assert foreign == []


def test_escape_closes_the_emoji_and_gives_the_focus_back(talk):
    _, visitor = talk()
    visitor.get_by_role("button", name="Emoji").click()
    expect(visitor.get_by_role("combobox", name="Search")).to_be_focused()

    visitor.keyboard.press("Escape")

    expect(visitor.get_by_role("dialog", name="Emoji")).to_be_hidden()
    expect(people.message_box(visitor)).to_be_focused()


def test_a_note_never_stands_on_the_visitors_page(talk):
    desk, visitor = talk()
    desk.get_by_role("button", name="Internal note").press("Enter")
    note = desk.get_by_role("textbox", name="Note for colleagues")
    expect(note).to_be_focused()
    note.fill("The carrier <cut-off> is 11:00")
    desk.get_by_role("button", name="Save note").click()
    expect(desk.get_by_text("only colleagues see this", exact=True)).to_be_visible()

    desk.get_by_role("button", name="Write to the customer").click()
    people.write(people.reply_box(desk), "It comes today")

    expect(people.bubble(visitor, "It comes today")).to_be_visible()
    assert "carrier" not in visitor.content()
    visitor.reload()
    expect(people.bubble(visitor, "It comes today")).to_be_visible()
    assert "carrier" not in visitor.content()


def test_a_draft_of_a_note_is_a_note_again_after_a_reload(talk):
    desk, _ = talk()
    people.reply_box(desk).fill("half a sen")
    desk.reload()
    expect(people.reply_box(desk)).to_have_value("half a sen")

    desk.get_by_role("button", name="Internal note").click()
    desk.reload()

    expect(desk.get_by_role("textbox", name="Note for colleagues")).to_have_value("half a sen")
    expect(desk.get_by_role("button", name="Save note")).to_be_visible()


def test_both_see_each_other_typing_and_reading(talk):
    desk, visitor = talk()
    people.message_box(visitor).press_sequentially("Rua")
    expect(desk.get_by_role("log").get_by_text("Ana is typing")).to_be_visible()
    people.message_box(visitor).press("Enter")
    expect(people.bubble(desk, "Rua")).to_be_visible()
    expect(desk.get_by_text("Ana is typing")).to_have_count(0)
    expect(people.bubble(visitor, "Rua").get_by_text("Read", exact=True)).to_be_visible()

    people.reply_box(desk).press_sequentially("Yes")
    expect(visitor.get_by_role("log").get_by_text(re.compile("is typing"))).to_be_visible()
    people.reply_box(desk).press("Enter")
    expect(people.bubble(desk, "Yes").get_by_text("Read", exact=True)).to_be_visible()
    desk.reload()
    expect(people.bubble(desk, "Yes").get_by_text("Read", exact=True)).to_be_visible()


def test_nobody_is_typing_any_more_when_the_chat_has_ended(talk):
    desk, visitor = talk()
    people.reply_box(desk).press_sequentially("One mom")
    people.message_box(visitor).press_sequentially("And one mo")
    expect(visitor.get_by_role("log").get_by_text(re.compile("is typing"))).to_be_visible()
    expect(desk.get_by_role("log").get_by_text("Ana is typing")).to_be_visible()

    people.end(desk)

    expect(visitor.get_by_role("button", name="New conversation")).to_be_visible()
    # Long before the sign would go by itself.
    expect(visitor.get_by_text(re.compile("is typing"))).to_have_count(0, timeout=2_000)
    expect(desk.get_by_role("log").get_by_text("Ana is typing")).to_have_count(0, timeout=2_000)


def test_only_the_last_message_of_a_run_says_how_far_it_came(talk):
    desk, visitor = talk()

    people.write(people.reply_box(desk), "one", "two", "three")

    expect(people.bubble(desk, "three").get_by_text("Read", exact=True)).to_be_visible()
    expect(people.bubble(desk, "one").get_by_text("Read", exact=True)).to_be_hidden()
    expect(people.bubble(desk, "two").get_by_text("Read", exact=True)).to_be_hidden()


def test_a_note_is_not_told_to_the_visitor_while_it_is_typed(talk):
    desk, _ = talk()
    sent = []
    desk.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    desk.reload()
    expect(desk.locator("#connection-chip")).to_have_attribute("data-status", "connected")
    desk.get_by_role("button", name="Internal note").click()
    desk.get_by_role("textbox", name="Note for colleagues").press_sequentially("secret")
    desk.keyboard.press("Enter")
    expect(people.bubble(desk, "secret")).to_contain_text("only colleagues see this")

    assert not any("typing" in frame for frame in sent)
    desk.get_by_role("button", name="Write to the customer").click()
    people.reply_box(desk).press_sequentially("Hello")
    desk.keyboard.press("Enter")
    expect(people.bubble(desk, "Hello").locator(".state")).to_have_text(people.SENT)
    assert any("typing" in frame for frame in sent)


def test_typing_shows_in_the_row_of_a_conversation_that_is_not_open(talk, person):
    desk, visitor = talk()
    other = people.start_chat(person(), name="Jonas Thiel")
    people.accept(desk, "Jonas Thiel")

    people.message_box(visitor).press_sequentially("Are you there")

    row = desk.get_by_role("region", name="Tasks").get_by_role("link", name=re.compile("Ana Pereira"))
    expect(row.get_by_text("Typing…")).to_be_visible()
    people.message_box(visitor).press("Enter")
    expect(row.get_by_text("Are you there")).to_be_visible()
    expect(row.get_by_text("Typing…")).to_have_count(0)
    expect(other.get_by_role("log").get_by_text("is typing")).to_have_count(0)


def test_a_card_number_is_masked_and_its_sender_told(talk):
    desk, visitor = talk()

    people.write(people.message_box(visitor), "My card is 4111 1111 1111 1111")

    expect(visitor.get_by_text("A card number in your message was masked.")).to_be_visible()
    expect(people.bubble(desk, "•••• 1111")).to_be_visible()
    assert not re.search(r"4111\W*1111", desk.content())


def test_a_restricted_word_is_refused_by_name_and_can_be_edited(talk):
    desk, visitor = talk()
    people.write(people.reply_box(desk), "That darn parcel")
    failed = people.bubble(desk, "That darn parcel")
    expect(failed.get_by_text("“darn” is on the list of words", exact=False)).to_be_visible()

    failed.get_by_role("button", name="Edit").click()
    people.write(people.reply_box(desk), "That parcel")

    expect(people.bubble(visitor, "That parcel")).to_be_visible()


def test_what_is_on_its_way_is_read_out_only_when_it_is_refused(talk):
    desk, _ = talk()

    people.write(people.reply_box(desk), "That darn parcel")

    failed = people.bubble(desk, "That darn parcel")
    expect(failed.get_by_role("alert")).to_contain_text("“darn” is on the list of words")
    expect(failed).to_have_attribute("aria-live", "off")


def test_what_was_refused_can_be_put_away_when_nobody_can_write_any_more(talk):
    desk, _ = talk()
    people.write(people.reply_box(desk), "That darn parcel")
    failed = people.bubble(desk, "That darn parcel")
    expect(failed.get_by_role("button", name="Retry")).to_be_visible()

    people.end(desk)
    desk.keyboard.press("Escape")

    expect(failed.get_by_role("button", name="Discard")).to_be_visible()
    for name in ("Retry", "Edit"):
        expect(failed.get_by_role("button", name=name)).to_be_hidden()
    failed.get_by_role("button", name="Discard").click()
    expect(failed).to_have_count(0)
    desk.reload()
    expect(desk.get_by_text("Where is my order?").first).to_be_visible()
    expect(failed).to_have_count(0)


def test_the_box_stays_a_note_after_one_is_saved(talk):
    desk, _ = talk()
    desk.get_by_role("button", name="Internal note").click()
    note = desk.get_by_role("textbox", name="Note for colleagues")

    people.write(note, "one")

    expect(people.bubble(desk, "one")).to_contain_text("only colleagues see this")
    expect(note).to_have_value("")
    expect(note).to_be_focused()


def test_the_count_shows_from_eighty_percent_and_counts_an_emoji_once(talk):
    desk, _ = talk()
    box = people.reply_box(desk)

    box.fill("😀" * 3199)
    expect(desk.get_by_text("3199 / 4000")).to_be_hidden()
    box.fill("😀" * 3200)

    expect(desk.get_by_text("3200 / 4000")).to_be_visible()


def test_up_in_an_empty_box_does_nothing(talk):
    desk, _ = talk()
    people.write(people.reply_box(desk), "Hello")
    expect(people.bubble(desk, "Hello")).to_be_visible()

    people.reply_box(desk).press("ArrowUp")

    expect(people.reply_box(desk)).to_have_value("")
    expect(people.reply_box(desk)).to_be_focused()


def test_what_came_while_the_reader_was_further_up_has_a_line_above_it(talk):
    desk, visitor = talk()
    people.write(people.reply_box(desk), *(f"line {number}\n\n\n" for number in range(12)))
    expect(people.bubble(visitor, "line 11")).to_be_visible()
    log = visitor.get_by_role("log")
    log.evaluate("box => { box.scrollTop = 0; }")
    expect(people.bubble(visitor, "line 0")).to_be_in_viewport()

    people.write(people.reply_box(desk), "the newest")

    jump = visitor.get_by_role("button", name="New messages")
    expect(jump).to_be_visible()
    expect(log.locator("li.new-line + li.message")).to_contain_text("the newest")
    expect(people.bubble(desk, "the newest").get_by_text("Delivered", exact=True)).to_be_visible()
    jump.click()
    expect(people.bubble(visitor, "the newest")).to_be_in_viewport()
    expect(people.bubble(desk, "the newest").get_by_text("Read", exact=True)).to_be_visible()


def test_the_pickers_have_no_serious_fault(talk):
    desk, visitor = talk(**LOOKED_AT)
    found = []
    for scheme in SCHEMES:
        for page in (desk, visitor):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        people.reply_box(desk).fill("Your <order number>")
        found += faults(desk)
        desk.get_by_role("button", name="Templates").click()
        expect(desk.get_by_role("option").first).to_be_visible()
        found += faults(desk)
        desk.keyboard.press("Escape")
        desk.get_by_role("button", name="Internal note").click()
        found += faults(desk)
        desk.get_by_role("button", name="Write to the customer").click()
        for page in (desk, visitor):
            page.get_by_role("button", name="Emoji").click()
            expect(page.get_by_role("menuitem").first).to_be_visible()
            found += faults(page)
            page.keyboard.press("Escape")
    assert found == []
