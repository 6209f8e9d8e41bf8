"""Plain requests to a running server, as a page without script sends them."""

import urllib.error
import urllib.request
from urllib.parse import urlencode, urlsplit

TOKEN = "a" * 32  # a page's own: what CSRF asks is that cookie and header agree


class _Stays(urllib.request.HTTPRedirectHandler):
    """A redirection is an answer."""

    def redirect_request(self, *request):
        return None


_opener = urllib.request.build_opener(_Stays)


def ask(url, cookie="", data=None, **headers):
    """Status and text of a request; it follows nothing."""
    parts = urlsplit(url)
    headers = {"Cookie": cookie, "Origin": f"{parts.scheme}://{parts.netloc}", **headers}
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with _opener.open(request, timeout=20) as response:
            return response.status, response.read().decode(errors="replace")
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode(errors="replace")


def post(portal, path, cookie, **fields):
    """Send a form of the portal; answers status and text."""
    headers = {"X-CSRFToken": TOKEN}
    return ask(portal.url + path, f"csrftoken={TOKEN}; {cookie}", urlencode(fields).encode(), **headers)
