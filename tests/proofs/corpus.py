"""What nobody's page sends: texts, numbers, values of JSON, requests and frames, each by name."""

import json
import secrets
import struct

TEXTS = {
    "nothing": "",
    "one letter": "x",
    "a blank": " ",
    "NUL": "nu\0l",
    "only NUL": "\0",
    "escape and bell": "\x1b[31mred\x07",
    "a line feed": "one\ntwo\r\nthree\rfour",
    "right to left": "\u202eabc\u202c \u2067def\u2069",
    "zero width": "a\u200bb\u200cc\u200dd\ufeffe\u2060",
    "10,000 combining marks": "z" + "\u0301" * 10_000,
    "combining marks alone": "\u0301" * 300,
    "no characters": "\ufffe\uffff\ufdd0",
    "the last plane": "\U0010ffff\U000e0041",
    "emoji and joiners": "👩‍👩‍👧‍👦" * 100,
    "a line separator": "one\u2028two\u2029three\x85four",
    "a percent sign": "%(sentence)s %s %d {0} {sentence} %",
    "SQL": "'; DROP TABLE conversations_message; --",
    "markup": "</textarea><script>alert(1)</script>{{ 7|add:7 }}{% debug %}",
    "a path": "../../../../etc/passwd\\..\\..",
    "a list": "[1, 2, 3]",
    "minus one": "-1",
    "zero": "0",
    "too large for the database": str(2**63),
    "400 digits": "9" * 400,
    "5,000 digits": "9" * 5_000,
    "18 digits and more": "000000000000000001" + "9" * 50,
    "other digits": "١٢٣",
    "a power": "²",
    "not a number": "NaN",
    "infinity": "-Infinity",
    "an exponent": "1e400",
    "no date": "2026-02-31",
    "the first year": "0000-00-00",
    "the last year": "9999-12-31",
    "ten times the largest": "x" * 40_000,
}
SHARP = {name: TEXTS[name] for name in ("NUL", "5,000 digits", "too large for the database", "ten times the largest")}

# A form cannot carry these; JSON can.
HALVES = {
    "a lone surrogate": "Hi \ud83d",
    "half a pair": "\udc00\ud800",
    "many halves": "\ud83d" * 1_000,
}


def lengths(limit):
    """Texts about a limit: just right, one too many, and far too many."""
    return {f"{length} letters": "x" * length for length in (limit, limit + 1, limit * 10)}


# Bytes of a form that are no text: UTF-8 that is too long, half a pair, no UTF-8 at all, and broken escapes.
BYTES = {
    "an overlong slash": b"%C0%AF",
    "an overlong NUL": b"%C0%80",
    "a lone surrogate": b"%ED%A0%80",
    "a pair of surrogates": b"%ED%A0%BD%ED%B8%80",
    "beyond Unicode": b"%F4%90%80%80",
    "no UTF-8": b"%FF%FE%FD",
    "half a character": b"%E2%82",
    "half an escape": b"%",
    "no escape": b"%ZZ",
    "raw bytes": bytes(range(128, 256)),
}

HEADERS = {
    "User-Agent": ["", "x" * 8_000, "\xff\xfe", "<script>", "Mozilla/5.0 (" + "(" * 3_000,
                   "Chrome/1." * 900, "Version/" + "1." * 4_000, " " * 8_000 + "x"],
    "Referer": ["", "http://[", "http://" + "x" * 7_000, "javascript:alert(1)", "\xff", "http://a:99999999/"],
    "Accept-Language": ["", "*", "x" * 7_000, "en;q=NaN", "es;q=1e999", ",".join(["es"] * 2_000), "\xff", "../es"],
    "Accept": ["", "*/*;q=x", "application/json\xff"],
    "Cookie": ["", ";;;===", "sessionid=%00", "sessionid=" + "x" * 7_000, "livedesk_visitor=a:b:c", "csrftoken=\xff",
               "livedesk_visitor=" + "x" * 7_000, "messages=[[", "django_language=%00", "livedesk_visitor=.eJw:1:x"],
    "Host": ["", "[", "localhost:99999999", "a b", "\xff", "evil.example", "127.0.0.1:x"],
    "Origin": ["null", "http://[", "\xff", "x" * 7_000],
    "X-Forwarded-For": ["", ",,,", "\xff", "x" * 7_000, "[::1", "1.2.3.4\x0b"],
    "X-CSRFToken": ["", "x", "x" * 7_000, "\xff" * 32],
    "Authorization": ["Bearer \xff", "Bearer " + "x" * 7_000, "Basic %"],
    "HX-Request": ["true", "\xff"],
    "HX-Current-URL": ["http://[", "%00", "x" * 7_000],
    "Range": ["bytes=-", "bytes=9-1", "bytes=0-" + "9" * 400, "bytes=" + "0-1," * 1_000],
    "If-Modified-Since": ["never", "Fri, 99 Xxx 9999 99:99:99 GMT", "\xff"],
    "Content-Type": ["", "text/html; charset=no-such", "multipart/form-data", "\xff",
                     "multipart/form-data; boundary=" + "b" * 5_000,
                     "application/x-www-form-urlencoded; charset=utf-7"],
}  # fmt: skip

WRONG_VALUES = [
    None, True, 0, -1, 1.5, 2**31, 2**63, 10**300, "", "1", "x" * 5_000, "nu\0l", "\ud800", [], [1], [[]], {}, {"a": 1},
]  # fmt: skip
DEEP = 10_000
BROKEN_JSON = {
    "lists 10,000 deep": "[" * DEEP + "]" * DEEP,
    "objects 10,000 deep": '{"":' * DEEP + "1" + "}" * DEEP,
    "a deep value": '{"do": "seen", "number": ' + "[" * DEEP + "]" * DEEP + "}",
    "keys twice": '{"do": "post", "do": "ping", "do": "post", "key": 1, "key": 2, "text": "a", "text": ["b"]}',
    "NaN": '{"do": "seen", "number": NaN}',
    "minus infinity": '{"do": "seen", "number": -Infinity}',
    "10^400": '{"do": "seen", "number": 1' + "0" * 400 + "}",
    "1e400": '{"do": "seen", "number": 1e400}',
    "5,000 digits": '{"do": "seen", "number": ' + "9" * 5_000 + "}",
    "a lone surrogate": '{"do": "post", "key": "abcdefgh12345678", "text": "\\ud800"}',
    "a key of surrogates": '{"do": "post", "key": "\\ud800\\ud800\\ud800\\ud800\\ud800", "text": "x"}',
    "NUL in a name": '{"do\\u0000": "ping"}',
    "no object": '["ping"]',
    "nothing": "",
    "no JSON": "{",
    "two values": '{"do": "ping"}{"do": "ping"}',
    "a byte order mark": '\ufeff{"do": "seen", "number": 1}',
}


def wrong_frames(conversation_id):
    """Every command with a wrong value in each of its fields, and without it."""
    there = {"conversation": conversation_id}
    right = {
        "post": {"key": "abcdefgh12345678", "text": "Hello", "files": [], "note": False, **there},
        "open": {"last": 0, **there},
        "seen": {"number": 1, **there},
        "got": {"number": 1, **there},
        "typing": there,
    }
    for command, fields in right.items():
        for name in fields:
            yield json.dumps({"do": command, **{other: fields[other] for other in fields if other != name}})
            for value in WRONG_VALUES:
                yield json.dumps({"do": command, **fields, name: value})
    for value in WRONG_VALUES:
        yield json.dumps({"do": value})


FIELDS = 5  # in which text_frames() tries each text


def text_frames(conversation_id, texts):
    """Every text in each field of a message that is one, and as a command."""
    for text in texts.values():
        for fields in ({"text": text}, {"text": text, "note": True}, {"key": text}, {"files": [text]}):
            yield message(conversation_id, **fields)
        yield json.dumps({"do": text})


def message(conversation_id, **fields):
    """The frame of a message, with a key of its own."""
    right = {"do": "post", "key": secrets.token_hex(16), "text": "Hello", "conversation": conversation_id}
    return json.dumps(right | fields)


MARKS = ("open", "seen", "got", "typing")


def must_be_answered(text):
    """Whether a frame is answered in words; a mark that happens to be right is taken without one."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return True
    return not (isinstance(frame, dict) and frame.get("do") in MARKS)


# Frames of the WebSocket protocol, as bytes

TEXT, BINARY, CLOSE, PING, PONG, CONTINUED = 0x1, 0x2, 0x8, 0x9, 0xA, 0x0


def frame(opcode, payload=b"", *, last=True, reserved=0, masked=True, length=None):
    """One frame, right or wrong; `length` is what its header claims."""
    claimed = len(payload) if length is None else length
    head = bytes([(0x80 if last else 0) | reserved << 4 | opcode])
    mask_bit = 0x80 if masked else 0
    if claimed < 126:
        head += bytes([mask_bit | claimed])
    elif claimed < 2**16:
        head += bytes([mask_bit | 126]) + struct.pack(">H", claimed)
    else:
        head += bytes([mask_bit | 127]) + struct.pack(">Q", claimed)
    return head + (b"\0\0\0\0" if masked else b"") + payload


HELLO = b'{"do": "ping"}'
RAW_FRAMES = {
    "a length of 2^62": frame(TEXT, HELLO, length=2**62),
    "a length of 2^63": frame(TEXT, HELLO, length=2**63),
    "a length that need not be so long": b"\x81\xfe\x00\x05\0\0\0\0hello",
    "half a header": b"\x81",
    "half a length": b"\x81\xff\x00\x00",
    "half a frame": frame(TEXT, HELLO, length=500),
    "not masked": frame(TEXT, HELLO, masked=False),
    "reserved bits": frame(TEXT, HELLO, reserved=7),
    "compressed without asking": frame(TEXT, b"\xaa\x56", reserved=4),
    "an unknown opcode": frame(0x3, HELLO),
    "an unknown control opcode": frame(0xB, b""),
    "a continuation of nothing": frame(CONTINUED, HELLO),
    "a text inside a text": frame(TEXT, b"{", last=False) + frame(TEXT, HELLO),
    "a text that never ends": frame(TEXT, b"{", last=False),
    "10,000 empty pieces": frame(TEXT, b"", last=False)
    + frame(CONTINUED, b"", last=False) * 10_000
    + frame(CONTINUED, HELLO),
    "a mebibyte in pieces": frame(TEXT, b"x" * 1000, last=False) + frame(CONTINUED, b"x" * 1000, last=False) * 1_048,
    "a mebibyte at once": frame(TEXT, b"x" * 2**20),
    "one more than fits": frame(TEXT, b"x" * (64 * 1024 + 1)),
    "a long ping": frame(PING, b"x" * 126),
    "a ping in pieces": frame(PING, b"x", last=False),
    "1,000 pings": frame(PING, b"x" * 100) * 1_000 + frame(TEXT, HELLO),
    "1,000 pongs": frame(PONG, b"x" * 100) * 1_000 + frame(TEXT, HELLO),
    "bytes instead of text": frame(BINARY, HELLO),
    "no UTF-8": frame(TEXT, b"\xff\xfe"),
    "overlong UTF-8": frame(TEXT, b'{"do": "\xc0\xaf"}'),
    "a surrogate in UTF-8": frame(TEXT, b'{"do": "\xed\xa0\x80"}'),
    "half a character": frame(TEXT, b'"\xe2\x82'),
    "NUL": frame(TEXT, b"\0" * 100),
    "an empty text": frame(TEXT, b""),
    "a close of one byte": frame(CLOSE, b"\x03"),
    "a close with a code that is none": frame(CLOSE, struct.pack(">H", 1005)),
    "a close with code 0": frame(CLOSE, struct.pack(">H", 0)),
    "a close with code 65535": frame(CLOSE, struct.pack(">H", 65535)),
    "a close that is no text": frame(CLOSE, struct.pack(">H", 1000) + b"\xff\xff"),
    "words after the close": frame(CLOSE, struct.pack(">H", 1000)) + frame(TEXT, HELLO) * 100,
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "noise": bytes(range(256)) * 40,
}
# How a server may end a socket that broke the rules: going, protocol, kind, text, rule, size; 4429 is too much at once.
RIGHT_CODES = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 4429}
# What each frame must be answered with: a code to close with (1002 where none stands), an end, or words.
SILENT_FRAMES = {"half a header", "half a length", "half a frame", "a text that never ends"}
ENDING_FRAMES = {name for name in RAW_FRAMES if name.startswith("a close ")}
OTHER_CODES = {
    "a length of 2^62": 1009,
    "a mebibyte in pieces": 1009,
    "a mebibyte at once": 1009,
    "one more than fits": 1009,
    "no UTF-8": 1007,
    "overlong UTF-8": 1007,
    "a surrogate in UTF-8": 1007,
    "half a character": 1007,
    "words after the close": 1000,
}
ANSWERED_FRAMES = {
    "bytes instead of text": "refused",
    "NUL": "refused",
    "an empty text": "refused",
    "10,000 empty pieces": "pong",
    "1,000 pings": "pong",
    "1,000 pongs": "pong",
}


# Requests, as bytes; an address that is logged has no letters of a text that is said, or the log would repeat it

LONG = b"x" * 70_000


def request(line=b"GET /chat/ HTTP/1.1", *headers, body=b"", host=True):
    """One request, right or wrong."""
    own = (b"Host: 127.0.0.1",) if host else ()
    return b"\r\n".join([line, *own, *headers, b"Connection: close", b"", b""]) + body


def form(kind, body, *headers):
    """A form of this Content-Type."""
    return request(POST, b"Content-Type: " + kind, b"Content-Length: %d" % len(body), *headers, body=body)


def part(fields, *headers):
    """The body of a form in parts that has one."""
    head = b"\r\n".join([b"--b", b"Content-Disposition: form-data; " + fields, *headers, b"", b""])
    return head + b"x\r\n--b--\r\n"


POST = b"POST /sign-in/ HTTP/1.1"
SOCKET = (
    b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Origin: http://127.0.0.1",
)  # fmt: skip
RAW_REQUESTS = {
    "no request": b"\r\n\r\n\r\n",
    "noise": bytes(range(256)) * 40,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "HTTP/0.9": b"GET /chat/\r\n\r\n",
    "HTTP/9.9": request(b"GET /chat/ HTTP/9.9"),
    "no version": request(b"GET /chat/"),
    "four words": request(b"GET /chat/ HTTP/1.1 now"),
    "an unknown method": request(b"BREW /chat/ HTTP/1.1"),
    "a method of 10,000 letters": request(b"G" * 10_000 + b" /chat/ HTTP/1.1"),
    "CONNECT": request(b"CONNECT example.com:443 HTTP/1.1"),
    "TRACE": request(b"TRACE / HTTP/1.1"),
    "an address with its host": request(b"GET http://evil.example/chat/ HTTP/1.1"),
    "a star": request(b"OPTIONS * HTTP/1.1"),
    "no address": request(b"GET  HTTP/1.1"),
    "an address of 10,000 letters": request(b"GET /chat/" + b"y" * 10_000 + b"/ HTTP/1.1"),
    "an address of 70 kB": request(b"GET /" + LONG + b" HTTP/1.1"),
    "an address with NUL": request(b"GET /chat/%00/ HTTP/1.1"),
    "an address that is no text": request(b"GET /chat/\xff\xfe/ HTTP/1.1"),
    "an address in Latin-1": request(b"GET /chat/\x85/ HTTP/1.1"),
    "a query in Latin-1": request(b"GET /chat/?\x85 HTTP/1.1"),
    "an address with half an escape": request(b"GET /chat/%E2%8/%/%zz/ HTTP/1.1"),
    "an address upwards": request(b"GET /static/../../etc/passwd HTTP/1.1"),
    "an address upwards, escaped": request(b"GET /static/%2e%2e/%2e%2e/etc/passwd HTTP/1.1"),
    "a number beyond all measure": request(b"GET /desk/conversations/" + b"8" * 5_000 + b"/ HTTP/1.1"),
    "a query of 3,000 fields": request(b"GET /chat/?" + b"&".join([b"a=1"] * 3_000) + b" HTTP/1.1"),
    "a query of 3,000 fields that is read": request(b"GET /sign-in/?" + b"&".join([b"a=1"] * 3_000) + b" HTTP/1.1"),
    "a header of 70 kB": request(b"GET /chat/ HTTP/1.1", b"X-Long: " + LONG),
    "70 kB of headers": request(b"GET /chat/ HTTP/1.1", *[b"X-%d: " % n + b"x" * 100 for n in range(700)]),
    "a cookie of 70 kB": request(b"GET /chat/ HTTP/1.1", b"Cookie: sessionid=" + LONG),
    "2,000 headers": request(b"GET /chat/ HTTP/1.1", *[b"A: b"] * 2_000),
    "a header without a colon": request(b"GET /chat/ HTTP/1.1", b"Nothing"),
    "a header without a name": request(b"GET /chat/ HTTP/1.1", b": value"),
    "a header with a blank in its name": request(b"GET /chat/ HTTP/1.1", b"X Y : value"),
    "a header with NUL": request(b"GET /chat/ HTTP/1.1", b"X-Nul: a\0b"),
    "a header with a vertical tab": request(b"GET /chat/ HTTP/1.1", b"X-Tab: a\x0bb"),
    "a header that is no text": request(b"GET /chat/ HTTP/1.1", b"X-\xff: \xff\xfe"),
    "a folded header": request(b"GET /chat/ HTTP/1.1", b"X-Fold: a\r\n b"),
    "headers that end with a line feed": b"GET /chat/ HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n",
    "no host": request(host=False),
    "two hosts": request(b"GET /chat/ HTTP/1.1", b"Host: evil.example"),
    "two lengths": request(POST, b"Content-Length: 3", b"Content-Length: 30", body=b"a=b"),
    "a length below zero": request(POST, b"Content-Length: -1", body=b"a=b"),
    "a length with a sign": request(POST, b"Content-Length: +3", body=b"a=b"),
    "a length that is none": request(POST, b"Content-Length: many", body=b"a=b"),
    "a length of 2^62": request(POST, b"Content-Length: %d" % 2**62, body=b"a=b"),
    "a length of 5,000 digits": request(POST, b"Content-Length: " + b"9" * 5_000, body=b"a=b"),
    "half a body": request(POST, b"Content-Length: 500", body=b"a=b"),
    "pieces and a length": request(POST, b"Content-Length: 3", b"Transfer-Encoding: chunked", body=b"0\r\n\r\na=b"),
    "pieces of no size": request(POST, b"Transfer-Encoding: chunked", body=b"zz\r\na=b\r\n0\r\n\r\n"),
    "a piece of 2^62": request(POST, b"Transfer-Encoding: chunked", body=b"4000000000000000\r\na=b"),
    "an unknown encoding": request(POST, b"Transfer-Encoding: gzip, chunked", body=b"3\r\na=b\r\n0\r\n\r\n"),
    "an encoding that there is not": request(b"GET /chat/ HTTP/1.1", b"Content-Type: text/html; charset*=nosuch''x"),
    "an encoding that decodes nothing": request(b"GET /chat/ HTTP/1.1", b"Content-Type: a/b; charset*=undefined''x"),
    "an encoding in pieces": request(b"GET /chat/ HTTP/1.1", b"Content-Type: a/b; charset*=x; charset*0=y"),
    "a form in hexadecimal": form(b"multipart/form-data; boundary=b; charset=hex", part(b"name=username")),
    "a part with a name in pieces": form(b"multipart/form-data; boundary=b", part(b"name*=utf-8''x")),
    "a form without parts": form(b"multipart/form-data; boundary=b", b"a=b"),
    "a socket without a key": request(b"GET /ws/chat/ HTTP/1.1", b"Upgrade: websocket", b"Connection: Upgrade"),
    "a socket of an old version": request(
        b"GET /ws/chat/ HTTP/1.1", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 3",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
    "a socket with a protocol that is no text": request(
        b"GET /ws/chat/ HTTP/1.1", *SOCKET, b"Sec-WebSocket-Protocol: \xff"
    ),
    "a socket with 1,001 fields": request(b"GET /ws/chat/?" + b"&".join([b"a=1"] * 1_001) + b" HTTP/1.1", *SOCKET),
    "a desk's socket with 1,001 fields": request(
        b"GET /ws/desk/?" + b"&".join([b"a=1"] * 1_001) + b" HTTP/1.1", *SOCKET
    ),
    "a socket where there is none": request(b"GET /ws/nowhere/ HTTP/1.1", *SOCKET),
    "a root path": request(b"GET /x/healthz HTTP/1.1", b"Daphne-Root-Path: /x"),
    "a root path that is no text": request(b"GET /chat/ HTTP/1.1", b"Daphne-Root-Path: \xff"),
    "half a handshake": b"GET /ws/chat/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nSec-WebS",
    "half a request line": b"GET /cha",
}  # fmt: skip
# What each request must be answered with: a status from 400 on, unless it stands here.
SILENT_REQUESTS = {
    "noise", "TLS", "headers that end with a line feed", "a length of 2^62", "half a body", "a piece of 2^62",
    "half a handshake", "half a request line",
}  # fmt: skip
ENDING_REQUESTS = {"an address of 70 kB", "a header of 70 kB", "a cookie of 70 kB"}
SERVED_REQUESTS = {"TRACE", "a query of 3,000 fields", "a folded header", "no host", "a root path that is no text"}
