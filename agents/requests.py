"""The agent behind a request."""

from typing import cast

from django.http import HttpRequest

from agents.models import Agent


def agent_of(request: HttpRequest) -> Agent:
    """The agent who is signed in; only for views that asked for that."""
    return cast(Agent, request.user)
