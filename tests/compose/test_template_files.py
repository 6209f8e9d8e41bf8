"""Templates as a CSV file: out so that a spreadsheet runs nothing, in as a whole or not at all."""

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from conversations import template_csv
from conversations.models import ReplyTemplate
from tests import make

pytestmark = pytest.mark.django_db

HEADER = "title,shortcut,text,queue,language,in use\n"
IMPORT = "admin:conversations_replytemplate_import"
EXPORT = "admin:conversations_replytemplate_export"


@pytest.fixture
def orders():
    return make.queue("Orders")


def rows():
    return list(ReplyTemplate.objects.order_by("pk").values())


def imported(text):
    return template_csv.read(text.encode() if isinstance(text, str) else text)


def expect_refused(content, *sentences):
    """Nothing changed, and each sentence is told."""
    before = rows()
    problems = imported(content).problems
    assert rows() == before
    for sentence in sentences:
        assert any(sentence in problem for problem in problems), problems
    return problems


def test_a_file_adds_what_is_new_and_changes_what_stands(orders):
    ReplyTemplate.objects.create(title="Hello", text="old", queue=orders, language="en")

    done = imported(HEADER + 'Hello,hi,"new, and\nlonger",Orders,en,no\nBye,,Goodbye,,,\n')

    assert (len(done.added), len(done.changed), done.problems) == (1, 1, [])
    hello, bye = ReplyTemplate.objects.order_by("pk")
    assert (hello.text, hello.shortcut, hello.is_in_use) == ("new, and\nlonger", "hi", False)
    assert (bye.text, bye.queue, bye.language, bye.is_in_use) == ("Goodbye", None, "", True)


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_spreadsheets_write_is_read(start, delimiter, end):
    lines = [template_csv.COLUMNS, ["Señal", "", "¿Qué tal?", "", "es", "yes"], [""] * 6]

    done = imported(start + end.join(delimiter.join(line) for line in lines) + end)

    assert done.problems == []
    assert ReplyTemplate.objects.get().text == "¿Qué tal?"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_wrong_encoding_is_refused(encoding):
    expect_refused((HEADER + "Señal,,¿Qué?,,,\n").encode(encoding), "not in UTF-8")


def test_a_nul_is_refused_as_another_encoding():
    expect_refused((HEADER + "Greeting,,Hel\0lo,,,\n").encode(), "not in UTF-8")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "title\n",
        "text,title,shortcut,queue,language,in use\n",
        "title,shortcut,text,queue,language\n",
        "\x89PNG\r\n",
    ],
)
def test_wrong_columns_are_refused_and_the_right_ones_named(content):
    expect_refused(content, "The first row must be: title, shortcut, text, queue, language, in use.")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("Bad,,text,Nowhere,,", "there is no queue “Nowhere”"),
        ("Bad,,text,,xx,", "the language must be one of"),
        ("Bad,,text,,,maybe", "“in use” must be yes or no"),
        (f"{'x' * 81},,text,,,", "title: "),
        ("Bad,has blank,text,,,", "shortcut: "),
        ("Bad,,your <order number,,,", "“<” has no “>”"),
        (f"Bad,,{'x' * 4001},,,", "text: "),
        ("Bad,,,,,", "text: "),
        (",,text,,,", "title: "),
        ("Good,,text,,,", "stands in row 2 already"),
    ],
)
def test_one_bad_row_refuses_the_whole_file_and_is_named(orders, row, sentence):
    expect_refused(HEADER + "Good,,text,,,\n" + row + "\n", "Row 3: ", sentence)


def test_a_row_with_too_many_cells_is_named():
    expect_refused(HEADER + "Good,,text,,,\na,b,c,d,e,f,g\n", "Row 3 has 7 columns, and there must be 6")


def test_a_quote_that_never_ends_is_refused():
    expect_refused(HEADER + 'Good,,"text,,,\n', "The file is no CSV file")


def test_many_problems_are_counted_and_not_all_listed():
    problems = expect_refused(HEADER + "".join(f"T{n},,text,,,maybe\n" for n in range(50)))

    assert len(problems) == 21
    assert problems[-1] == "… and 30 more."


def test_a_file_that_is_too_large_is_refused():
    expect_refused(HEADER + "x" * template_csv.LARGEST, "larger than 2 MB")


@pytest.mark.parametrize("text", ["=1+1", "+34 600", "-5", "@SUM(A1)", "'=quoted", "''@twice", "'tis"])
def test_a_cell_that_a_spreadsheet_would_run_goes_out_harmless_and_comes_back_as_it_was(text):
    ReplyTemplate.objects.create(title=text, text=text)

    file = template_csv.write(ReplyTemplate.objects.all())

    cells = list(csv.reader(io.StringIO(file.removeprefix("\ufeff"))))[1]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in cells)
    before = rows()
    assert imported(file).problems == []
    assert rows() == before


def test_a_formula_that_was_typed_into_the_file_stays_text():
    imported(HEADER + "Sum,,=HYPERLINK(1),,,\n")

    assert "'=HYPERLINK(1)" in template_csv.write(ReplyTemplate.objects.all())


def upload(client, content):
    return client.post(reverse(IMPORT), {"file": SimpleUploadedFile("templates.csv", content.encode())})


def test_a_supervisor_imports_and_exports_in_admin(client):
    client.force_login(make.supervisor())

    answer = upload(client, HEADER + "Hello,,Dear <customer name>,,,\n")
    exported = client.get(reverse(EXPORT))

    assert answer.status_code == 302
    assert ReplyTemplate.objects.get().title == "Hello"
    assert exported.content.decode("utf-8-sig").splitlines()[1] == "Hello,,Dear <customer name>,,,yes"
    assert exported.headers["Content-Disposition"] == 'attachment; filename="templates.csv"'
    assert exported.headers["X-Content-Type-Options"] == "nosniff"


def test_the_import_page_says_what_is_wrong(client):
    client.force_login(make.supervisor())

    answer = upload(client, HEADER + "<b>,,your <x,Nowhere,,\n")

    assert answer.status_code == 422
    assert "Row 2: there is no queue “Nowhere”." in answer.content.decode()
    assert not ReplyTemplate.objects.exists()


def test_no_file_and_an_empty_file_are_told_so(client):
    client.force_login(make.supervisor())

    assert "Choose a file." in client.post(reverse(IMPORT)).content.decode()
    assert "The file is empty." in upload(client, "").content.decode()


@pytest.mark.parametrize("name", [IMPORT, EXPORT])
def test_whoever_may_not_keep_templates_gets_neither_page(client, name):
    client.force_login(make.agent("Clerk", is_staff=True))

    assert client.get(reverse(name)).status_code == 403
