"""Requests that Django cannot read: the fault of who sent them, and answered as that."""

from collections.abc import Mapping
from typing import IO, Any

from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpResponseBadRequest
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase

from config.guards import guards


class Request(ASGIRequest):
    """A request whose parts may have names in pieces (RFC 2231) that contradict each other."""

    def _load_post_and_files(self) -> None:
        try:
            super()._load_post_and_files()
        except TypeError as problem:
            self._mark_post_parse_error()  # type: ignore[attr-defined]
            raise MultiPartParserError("A part has a header that cannot be read.") from problem


class Pages(ASGIHandler):
    """The pages; what is wrong with the Content-Type is answered here, as no middleware sees such a request."""

    request_class = Request

    def create_request(
        self, scope: Mapping[str, Any], body_file: IO[bytes]
    ) -> tuple[ASGIRequest, None] | tuple[None, HttpResponseBase]:
        """The request, or the answer to it."""
        try:
            request, refusal = super().create_request(scope, body_file)
        except (ValueError, TypeError):  # an encoding that there is not, or pieces that contradict each other
            request, refusal = None, None
        if request is None or _is_foreign(request):
            return None, _guarded(refusal or HttpResponseBadRequest())
        return request, None


def _is_foreign(request: ASGIRequest) -> bool:
    """Whether a form with files is not in UTF-8: Django refuses other forms itself, and breaks at these."""
    return request.content_type == "multipart/form-data" and (request.encoding or "utf-8").lower() != "utf-8"


def _guarded(refusal: HttpResponseBase) -> HttpResponseBase:
    for name, value in guards():
        refusal.headers[name] = value
    return refusal
