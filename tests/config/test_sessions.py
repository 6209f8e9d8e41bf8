"""A session cookie that no server of ours made is no session, whatever stands in it."""

import pytest

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("key", ["0123456789abcdefghijklmnopqrst\x00", "ñ" * 32, "' or 1=1 --", "short", "x" * 10_000])
def test_a_cookie_of_other_characters_leads_to_the_sign_in(client, key):
    client.cookies["sessionid"] = key

    response = client.get("/desk/")

    assert response.status_code == 302
    assert response.url.startswith("/sign-in/")
