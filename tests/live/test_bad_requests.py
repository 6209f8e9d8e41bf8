"""Requests that no browser of ours sends: the server believes nothing of them, and answers them in order."""

from tests.proofs.corpus import POST, form, part, request
from tests.proofs.raw import handshake, is_in_order, line_to


async def status_of(portal, sent):
    """The status of the first answer to these bytes."""
    async with line_to(portal, greeting=sent) as line:
        return int(line.got[9:12] or 0)


def page(address, *headers):
    return request(b"GET " + address + b" HTTP/1.1", *headers)


def socket(portal, *headers, path="/ws/chat/"):
    return handshake(portal, path, "").replace(b"\r\n\r\n", b"\r\n" + b"\r\n".join([*headers, b"", b""]))


async def test_where_the_portal_is_mounted_is_not_for_who_asks_to_say(portal):
    for header in (b"Daphne-Root-Path: /x", b"daphne-root-path: \xff"):
        assert await status_of(portal, page(b"/chat/", header)) == 200
        assert await status_of(portal, page(b"/x/healthz", header)) == 404
        assert await status_of(portal, socket(portal, header)) == 101

    assert is_in_order(portal)


async def test_what_a_trusted_proxy_passes_on_may_be_anything(start_portal):
    portal = start_portal(TRUSTED_PROXY=1)
    for name in (b"For", b"Port", b"Proto"):
        for value in (b"\xff", b"", b",,,", b"9" * 5_000):
            headers = (b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-%b: %b" % (name, value))
            assert await status_of(portal, page(b"/chat/", *headers)) == 200, headers
            assert await status_of(portal, page(b"/chat/", headers[1])) == 200, headers
            assert await status_of(portal, socket(portal, *headers)) == 101, headers

    assert is_in_order(portal)


async def test_a_socket_that_asks_for_a_protocol_that_is_no_text_is_refused(portal):
    for value, status in ((b"\xff", 400), (b"chat, \xff", 400), (b"chat, %ff", 101)):
        assert await status_of(portal, socket(portal, b"Sec-WebSocket-Protocol: " + value)) == status, value

    assert is_in_order(portal)


async def test_a_socket_with_more_fields_than_anybody_has_is_refused(server):
    for path in ("/ws/chat/", "/ws/desk/"):
        for number, status in ((1_000, 101), (1_001, 403)):
            address = f"{path}?{'&'.join(['a=1'] * number)}"
            assert await status_of(server, socket(server, path=address)) == status, (path, number)

    assert is_in_order(server)


async def test_a_form_that_is_none_is_answered_by_the_application(server):
    for body in (part(b"name*=utf-8''x"), part(b"name=x", b"Content-Type: multipart/mixed; boundary=b"), b"no parts"):
        assert await status_of(server, form(b"multipart/form-data; boundary=b", body)) == 403, body  # it has no token

    assert is_in_order(server)


TOKEN = (b"Cookie: csrftoken=" + b"a" * 32, b"X-CSRFToken: " + b"a" * 32)
NO_ENCODINGS = [
    b"charset*=nosuch''x", b"charset*=undefined''x", b"charset*=idna''%ff..", b"charset*=utf-8''%00", b"a*; a*0",
    b"a*" + b"9" * 5_000 + b"=x",
]  # fmt: skip


async def test_an_encoding_that_there_is_not_is_refused(server):
    for encoding in NO_ENCODINGS:
        assert await status_of(server, page(b"/chat/", b"Content-Type: text/html; " + encoding)) == 400, encoding
    for encoding in (b"hex", b"undefined", b"punycode", b"utf-16"):
        kind = b"multipart/form-data; boundary=b; charset=" + encoding
        assert await status_of(server, form(kind, part(b"name=username"), *TOKEN)) == 400, encoding
    assert await status_of(server, form(b"multipart/form-data; boundary=b; charset=UTF-8", b"", *TOKEN)) == 200

    assert is_in_order(server)


async def test_a_part_whose_name_contradicts_itself_is_refused(server):
    assert await status_of(server, form(b"multipart/form-data; boundary=b", part(b"name*; name*0"), *TOKEN)) == 400

    assert is_in_order(server)


async def test_more_fields_than_django_takes_are_a_line_in_the_log(portal):
    many = b"&".join([b"a=1"] * 1_001)
    assert await status_of(portal, page(b"/sign-in/?" + many)) == 400
    assert await status_of(portal, form(b"application/x-www-form-urlencoded", many, *TOKEN)) == 400

    assert is_in_order(portal)
    assert portal.log().count("The number of GET/POST parameters exceeded") == 2


async def test_a_length_beyond_all_measure_is_refused(portal):
    assert await status_of(portal, request(POST, b"Content-Length: " + b"9" * 5_000, body=b"a=b")) == 400

    assert is_in_order(portal)
