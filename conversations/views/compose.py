"""What the desk's compose box asks for."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agents.requests import agent_of, sign_in_required
from conversations import reply_templates
from conversations.access import participation_of


@never_cache
@require_safe
@sign_in_required
def templates(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """The list of templates for what was typed, with their parameters filled for this conversation."""
    agent = agent_of(request)
    conversation = participation_of(agent, conversation_id).conversation
    query = request.GET.get("q", "").strip()
    replies = reply_templates.offered(conversation, agent, query)
    return render(request, "desk/_templates.html", {"replies": replies, "query": query})
