"""The front door and the pages for what went wrong."""

import sys

from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from config.middleware import notice_response
from config.outage import is_outage

RETRY_AFTER_SECONDS = 5


def front(request: HttpRequest) -> HttpResponse:
    """Staff go to their desk, everybody else to the chat."""
    return HttpResponseRedirect(reverse("desk:home" if request.user.is_authenticated else "chat:queues"))


def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers that do not read the page ask here."""
    return HttpResponseRedirect(staticfiles_storage.url("img/favicon.svg"))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The request itself is broken."""
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Signed in, but not allowed."""
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Not there, or not yours."""
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Our own fault; or the database is away, which passes."""
    if is_outage(sys.exception()):
        return _unavailable(request)
    return render(request, "500.html", status=500)


def _unavailable(request: HttpRequest) -> HttpResponse:
    """When to try again, and what the person wrote. Nothing in here may ask the database."""
    sentence = _("The portal cannot reach its database at the moment, so nothing was changed. Try again in a moment.")
    if request.headers.get("HX-Request") == "true":
        response = notice_response(request, sentence, 503)
    else:
        response = render(request, "503.html", {"sentence": sentence}, status=503)
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form came without its token, or the page was too old: nothing was changed."""
    sentence = _(
        "This form is too old or did not come from our page, so nothing was changed. Reload the page and try again."
    )
    if request.headers.get("HX-Request") == "true":
        return notice_response(request, sentence, 403)
    return render(request, "csrf.html", {"sentence": sentence}, status=403)
