"""Asking colleagues: transfer, conference, and taking a request back."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from agents.requests import agent_of, sign_in_required
from config.middleware import sentence_response
from config.numbers import whole_number
from config.refusal import Invalid
from conversations.access import participation_of
from conversations.actions import conferences, offers, transfers
from conversations.directory import colleagues_of, targets_for
from conversations.errors import OfferGone, Refused
from conversations.views.desk import back_to_desk

HTTP_METHODS = ["GET", "HEAD", "POST"]
MOST_AT_ONCE = 50  # more than anybody has places


@never_cache
@require_http_methods(HTTP_METHODS)
@sign_in_required
def transfer(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """The dialog Transfer request: to an agent or to a queue."""
    agent = agent_of(request)
    place = participation_of(agent, conversation_id)
    if request.method != "POST":
        context = {
            "conversation": place.conversation,
            "colleagues": colleagues_of(agent),
            "targets": targets_for(place.conversation),
        }
        return render(request, _template(request, "transfer"), context)
    note = request.POST.get("note", "")
    if request.POST.get("to") == "queue":
        transfers.to_queue(conversation_id, _chosen(request, "queue"), by=agent, note=note)
    else:
        transfers.to_agent(conversation_id, _chosen(request, "agent"), by=agent, note=note)
    return _done(request, conversation_id)


@never_cache
@require_http_methods(HTTP_METHODS)
@sign_in_required
def conference(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """The dialog Conference request: call a colleague in."""
    agent = agent_of(request)
    place = participation_of(agent, conversation_id)
    if request.method != "POST":
        context = {"conversation": place.conversation, "colleagues": colleagues_of(agent, only_available=True)}
        return render(request, _template(request, "conference"), context)
    conferences.invite(conversation_id, _chosen(request, "agent"), by=agent, note=request.POST.get("note", ""))
    return _done(request, conversation_id)


@require_POST
@sign_in_required
def cancel_request(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """Take back a transfer or an invitation that is not answered yet."""
    transfers.cancel(conversation_id, by=agent_of(request))
    return _done(request, conversation_id)


@require_POST
@sign_in_required
def end_conference(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """The guests leave, the lead goes on alone."""
    conferences.end(conversation_id, by=agent_of(request))
    return _done(request, conversation_id)


@require_POST
@sign_in_required
def leave_conference(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """A guest goes."""
    conferences.leave(conversation_id, by=agent_of(request))
    return back_to_desk(request)


@require_POST
@sign_in_required
def accept_all(request: HttpRequest) -> HttpResponse:
    """Accept N requests: each is answered for itself, and the sentence says what was left."""
    agent = agent_of(request)
    accepted, left = 0, 0
    for offer_id in filter(None, map(whole_number, request.POST.getlist("offer")[:MOST_AT_ONCE])):
        try:
            offers.accept(offer_id, by=agent)
            accepted += 1
        except Refused:
            left += 1
    if not left:
        return back_to_desk(request)
    some_left = OfferGone(
        _("%(accepted)s accepted; %(left)s were gone already: answered, run out or taken back."),
        accepted=accepted,
        left=left,
    )
    if not accepted:
        raise some_left
    return sentence_response(request, str(some_left), HTTPStatus.OK)


def _chosen(request: HttpRequest, name: str) -> int:
    number = whole_number(request.POST.get(name))
    if number is None:
        raise Invalid(_("Choose a queue first.") if name == "queue" else _("Choose a colleague first."))
    return number


def _template(request: HttpRequest, name: str) -> str:
    return f"desk/_{name}.html" if request.htmx else f"desk/{name}.html"  # type: ignore[attr-defined]


def _done(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """Nothing for htmx: what changed comes to every desk by itself."""
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=204)
    return redirect("desk:conversation", conversation_id)
