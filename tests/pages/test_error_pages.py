"""The pages that say no, and the front door."""

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client, RequestFactory
from django.urls import path
from django.utils import translation

from config import urls, views
from tests import make
from tests.pages.browsing import HTMX, Page, desk_of

pytestmark = pytest.mark.django_db


def fail(request):
    raise RuntimeError("secret details")


def forbid(request):
    raise PermissionDenied("secret details")


urlpatterns = [*urls.urlpatterns, path("fail/", fail), path("forbid/", forbid)]
handler400, handler403, handler404, handler500 = (
    urls.handler400, urls.handler403, urls.handler404, urls.handler500,
)  # fmt: skip


def test_the_front_door_leads_visitors_to_the_chat_and_staff_to_the_desk(client):
    assert client.get("/")["Location"] == "/chat/"
    assert desk_of(make.agent()).get("/")["Location"] == "/desk/"


def test_browsers_that_ask_for_the_icon_get_it(client):
    assert client.get("/favicon.ico")["Location"].startswith("/static/img/favicon")


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("address", ["/nothing/", "/desk/conversations/x/", "/chat/a/b/", "/%00", "/<script>", "/é"])
def test_an_address_that_is_none_gets_the_page_for_it(client, address, headers, language):
    response = client.get(address, headers={"Accept-Language": language, **headers})

    page = Page(response)
    assert response.status_code == 404
    assert page.one("h1").text
    assert page.one("html")["lang"] == language
    assert page.one("a", href="/")


@pytest.mark.parametrize("address", ["/language/", "/chat/current/messages/"])
def test_an_address_that_only_takes_what_its_buttons_send_gets_a_page_with_a_way_out(address):
    response = desk_of(make.agent()).get(address)

    page = Page(response)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert page.one("h1").text == "This cannot be opened like that"
    assert page.one("a", href="/")


@pytest.mark.urls(__name__)
def test_a_fault_of_our_own_is_told_without_its_details():
    response = Client(raise_request_exception=False).get("/fail/")

    assert response.status_code == 500
    assert Page(response).one("h1").text == "Something went wrong on our side"
    assert "secret details" not in response.content.decode()


@pytest.mark.urls(__name__)
def test_who_has_no_right_is_told_so(client):
    response = client.get("/forbid/")

    assert response.status_code == 403
    assert Page(response).one("h1").text == "You may not do this"
    assert "secret details" not in response.content.decode()


def test_an_agent_at_the_door_of_admin_is_told_so():
    response = desk_of(make.agent()).get("/admin/", follow=True)

    assert response.status_code == 403
    assert Page(response).one("h1").text == "You may not do this"


def test_a_host_that_is_not_ours_is_a_bad_request(client):
    response = client.get("/chat/", headers={"Host": "evil.example.com"})

    assert response.status_code == 400
    assert Page(response).one("h1").text == "This request makes no sense to us"


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_page_for_a_fault_needs_no_person_no_session_and_no_database(language, django_assert_num_queries):
    request = RequestFactory().get("/")

    with translation.override(language), django_assert_num_queries(0):
        response = views.server_error(request)

    assert Page(response).one("h1").text


@pytest.mark.parametrize("code", ["en", "es"])
def test_the_page_for_a_missing_token_says_what_to_do(code):
    client = Client(enforce_csrf_checks=True, headers={"Accept-Language": code})

    response = client.post("/sign-in/", {"username": "lucia"})

    assert response.status_code == 403
    assert Page(response).one("html")["lang"] == code
    assert Page(response).one("a", href="/")
