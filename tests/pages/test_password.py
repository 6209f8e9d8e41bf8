"""One's own new password, at the desk."""

import pytest
from django.test import Client
from django.utils import translation

from agents.models import Agent
from agents.states import AgentState
from tests import make
from tests.pages.browsing import Page, desk_of, somewhere

pytestmark = pytest.mark.django_db

ADDRESS, HOME = "/password/", "/desk/"
OLD, NEW = "correct horse", "battery and staple"
CHANGED = "Your password is changed."


@pytest.fixture
def lucia():
    return make.agent("Lucía", username="lucia-marin", password=OLD)


def change(browser, **fields):
    return browser.post(ADDRESS, {"old_password": OLD, "new_password1": NEW, "new_password2": NEW, **fields})


def test_the_state_menu_leads_to_the_page(lucia):
    desk = desk_of(lucia)

    link = Page(desk.get(HOME)).one("a", role="menuitem", href=ADDRESS)

    assert link.text == "Change password"
    assert desk.get(link["href"]).status_code == 200


def test_the_page_says_to_password_managers_what_each_field_is(lucia):
    page = Page(desk_of(lucia).get(ADDRESS))

    kinds = {field["name"]: field["autocomplete"] for field in page.all("input", type="password")}
    assert kinds == {
        "old_password": "current-password", "new_password1": "new-password", "new_password2": "new-password"
    }  # fmt: skip
    assert page.one("input", autocomplete="username")["value"] == "lucia-marin"
    assert sorted(page.labels().values()) == ["id_new_password1", "id_new_password2", "id_old_password"]
    hint = page.one(id=page.one("input", name="new_password1")["aria-describedby"])
    assert "at least 10 characters" in hint.text


@pytest.mark.parametrize("state", [AgentState.AVAILABLE, AgentState.OFFLINE])
def test_the_page_says_that_the_desk_is_closed_meanwhile_to_whoever_has_one_open(lucia, state):
    Agent.objects.update(state=state)

    page = Page(desk_of(lucia).get(ADDRESS))

    assert ("Your desk is closed meanwhile" in page.text) == (state != AgentState.OFFLINE)


@pytest.mark.parametrize("person", [make.agent, make.supervisor, make.superuser])
def test_a_new_password_is_told_at_the_desk_once_and_changes_nothing_else(person):
    agent = person(password=OLD)
    before = Agent.objects.values().get(pk=agent.pk)
    desk = desk_of(agent)
    before["last_login"] = Agent.objects.get(pk=agent.pk).last_login

    response = change(desk)

    agent.refresh_from_db()
    assert response["Location"] == HOME
    assert agent.check_password(NEW)
    assert Agent.objects.values().get(pk=agent.pk) == before | {"password": agent.password}
    assert CHANGED in Page(desk.get(HOME)).one(id="notices").text
    assert CHANGED not in Page(desk.get(HOME)).text


def test_the_session_that_changed_the_password_goes_on_under_a_new_key_and_the_others_end(lucia):
    here, elsewhere = desk_of(lucia), desk_of(lucia)
    key = here.cookies["sessionid"].value

    change(here)

    assert here.get(HOME).status_code == 200
    assert here.cookies["sessionid"].value != key
    assert elsewhere.get(HOME)["Location"] == f"/sign-in/?next={HOME}"


@pytest.mark.parametrize(
    ("fields", "where", "words"),
    [
        ({"old_password": "wrong"}, "old_password", "Your old password was entered incorrectly."),
        ({"old_password": ""}, "old_password", "This field is required."),
        ({"old_password": "\0"}, "old_password", "Null characters are not allowed."),
        ({"new_password2": "battery and stable"}, "new_password2", "The two password fields didn’t match."),
        ({"new_password1": "short", "new_password2": "short"}, "new_password2", "This password is too short."),
        ({"new_password1": "lucia-marin", "new_password2": "lucia-marin"}, "new_password2", "similar to the username"),
        ({"new_password1": "1234567890", "new_password2": "1234567890"}, "new_password2", "too common"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_changes_nothing(lucia, fields, where, words):
    desk = desk_of(lucia)

    response = change(desk, **fields)

    page = Page(response)
    field = page.one("input", name=where)
    assert response.status_code == 422
    assert field["aria-invalid"] == "true"
    assert words in page.one(id=f"{where}-error").text
    assert f"{where}-error" in field["aria-describedby"].split()
    assert not [field for field in page.all("input", type="password") if "value" in field]
    lucia.refresh_from_db()
    assert lucia.check_password(OLD)
    assert desk.get(HOME).status_code == 200


def test_the_page_speaks_the_language_of_the_agent(lucia):
    Agent.objects.update(language="es")

    page = Page(change(desk_of(lucia), old_password="wrong"))

    with translation.override("es"):
        assert page.one("h1").text == translation.gettext("Change password")
        assert page.one(id="old_password-error").text.startswith("Su contraseña antigua")


@pytest.mark.parametrize("address", [ADDRESS, "/admin/password_change/"])
def test_who_guesses_the_old_password_is_told_when_to_try_again_in_whichever_session(settings, address):
    settings.SIGN_INS_PER_MINUTE = 2
    vera, olga = make.supervisor("Vera", password=OLD), make.supervisor("Olga", password=OLD)
    fields = {"new_password1": NEW, "new_password2": NEW}
    for _ in range(2):
        assert desk_of(vera).post(address, {"old_password": "wrong", **fields}).status_code in (200, 422)

    right = desk_of(vera).post(address, {"old_password": OLD, **fields})
    other = desk_of(olga).post(address, {"old_password": OLD, **fields})

    vera.refresh_from_db()
    assert right.status_code == 429
    assert 1 <= int(right["Retry-After"]) <= 60
    assert "Too many tries with the old password. Try again in" in Page(right).text
    assert vera.check_password(OLD)
    assert other.status_code == 302


def test_who_knows_his_password_is_never_slowed_down(lucia, settings):
    settings.SIGN_INS_PER_MINUTE = 1
    desk = desk_of(lucia)

    answers = [change(desk, new_password2=f"not the same {number}") for number in range(3)]

    assert [answer.status_code for answer in answers] == [422] * 3


def test_who_is_not_signed_in_has_no_password_to_change(lucia):
    browser = Client(REMOTE_ADDR=somewhere())

    assert browser.get(ADDRESS)["Location"] == f"/sign-in/?next={ADDRESS}"
    assert change(browser)["Location"] == f"/sign-in/?next={HOME}"
    lucia.refresh_from_db()
    assert lucia.check_password(OLD)
