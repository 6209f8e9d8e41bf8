"""What the chat page and the desk share: a message that came by POST, and numbers in addresses."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse

from config.numbers import whole_number
from config.refusal import Refused
from conversations.actions.messaging import Posted
from conversations.frames import posted_frame


def answer_message(request: HttpRequest, send: Callable[[], Posted], *, back_to: str) -> HttpResponse:
    """Frames for the page's script, the page again for a plain form; a plain form's refusal has its own page."""
    if "application/json" not in request.headers.get("Accept", ""):
        send()
        return HttpResponseRedirect(back_to)
    try:
        posted = send()
    except Refused as refusal:
        frame = {
            "is": "refused",
            "key": request.POST.get("key"),
            "sentence": str(refusal),
            "retry_after": refusal.retry_after_seconds,
        }
        return JsonResponse({"frames": [frame]}, status=refusal.status, headers=refusal.headers)
    return JsonResponse({"frames": [posted_frame(posted)]})


def number_in(request: HttpRequest, name: str) -> int:
    """A number of the address; what is none counts as 0."""
    return whole_number(request.GET.get(name)) or 0
