"""What every answer gets: a content security policy, the staff's language, and refusals as sentences."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from config.refusal import Refused

Handler = Callable[[HttpRequest], HttpResponse]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors {ancestors}; base-uri 'none'; "
    "manifest-src 'self'"
)
COMPANY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": settings.X_FRAME_OPTIONS,
    "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
    "Cross-Origin-Opener-Policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
}


class ContentSecurityPolicyMiddleware:
    """
    No script, style or connection but our own.

    A view may let our own pages frame it with `X-Frame-Options: SAMEORIGIN`. Stands before Django's own guards, which
    do not guard what they answer themselves: the way to https, and a refused host.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_framed = response.headers.get("X-Frame-Options") == "SAMEORIGIN"
        response.headers.setdefault(
            "Content-Security-Policy", POLICY.format(ancestors="'self'" if is_framed else "'none'")
        )
        for name, value in COMPANY.items():
            response.headers.setdefault(name, value)
        return response


class StaffLanguageMiddleware:
    """Staff read their own language; visitors the browser's (LocaleMiddleware chose it already)."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/chat/") or not request.user.is_authenticated:
            return self.get_response(request)
        language = request.user.language  # signing out leaves nobody to ask
        with translation.override(language):
            request.LANGUAGE_CODE = translation.get_language()
            response = self.get_response(request)
            response.headers["Content-Language"] = language
        return response


class RefusedMiddleware:
    """An action's "no" becomes its sentence where the person is looking, with its status; so does a wrong method."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED and not response.content:
            return _not_allowed(request, response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, Refused):
            return None
        return refusal_response(request, exception)


def _not_allowed(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Django's own answer is a blank page; this one has a way out."""
    page = render(request, "405.html", status=response.status_code)
    page.headers["Allow"] = response.headers["Allow"]
    return page


def refusal_response(request: HttpRequest, refusal: Refused) -> HttpResponse:
    """The refusal's sentence, its status, and when to try again."""
    response = sentence_response(request, str(refusal), refusal.status)
    for name, value in refusal.headers.items():
        response.headers[name] = value
    return response


def sentence_response(request: HttpRequest, sentence: str, status: int) -> HttpResponse:
    """The sentence alone for htmx (shown in the page's notice line), a page with a way back otherwise."""
    if getattr(request, "htmx", False):
        return notice_response(request, sentence, status)
    return render(request, "refused.html", {"sentence": sentence, "kind": "error"}, status=status)


def notice_response(request: HttpRequest, sentence: str, status: int) -> HttpResponse:
    """
    A sentence for the page's notice line.

    The page's script takes it from the answer: htmx itself could not, when the element that asked is gone by then.
    """
    response = render(request, "_notice.html", {"sentence": sentence, "kind": "error"}, status=status)
    response.headers["HX-Reswap"] = "none"
    response.headers["Livedesk-Notice"] = "1"
    return response
