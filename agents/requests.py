"""The agent behind a request."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from agents.models import Agent

View = Callable[..., HttpResponse]


def agent_of(request: HttpRequest) -> Agent:
    """The agent who is signed in; only for views that asked for that."""
    return cast(Agent, request.user)


def sign_in_required(view: View) -> View:
    """
    Asks whoever is not signed in to do that, and leads back to the page then.

    Not back to an address that only takes forms: what was sent is gone, and there is nothing to see.
    """

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        is_page = request.method in {"GET", "HEAD"}
        return redirect_to_login(request.get_full_path() if is_page else reverse("desk:home"))

    return inner
