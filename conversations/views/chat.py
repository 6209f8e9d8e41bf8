"""The visitor's pages."""

import uuid
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.addresses import address_of
from config.clock import database_now
from config.refusal import TooFast
from conversations import limits, visitors
from conversations.access import conversation_in, conversation_of, earlier_conversation, is_another
from conversations.actions import closing, messaging, presence, reading
from conversations.actions.opening import Opening, attended, is_attended, open_conversation, open_conversation_of
from conversations.customer import foreign_page
from conversations.errors import AlreadyEnded, Gone, NobodyThere, QueueClosed, QueueGone
from conversations.file_lines import draw_files
from conversations.forms import StartForm, one_line
from conversations.fragments import draw_status, status_context, thread_context
from conversations.frames import lines_frame, marks_frame, reload_frame
from conversations.line import usual_minutes
from conversations.models import Conversation
from conversations.states import Party
from conversations.thread import Audience, after
from conversations.views.files import one_message, post_with_files
from conversations.views.messages import answer_message, number_in
from queues import hours
from queues.models import Queue

NO_CONVERSATION = _("There is no conversation in this browser any more. Start a new one.")


@never_cache
@require_safe
def queues(request: HttpRequest) -> HttpResponse:
    """Choose what the chat is about."""
    now = database_now()
    found = list(Queue.objects.filter(is_in_use=True).prefetch_related("opening_hours", "holidays"))
    for queue in found:
        queue.is_open_now = hours.is_open(queue, now)  # type: ignore[attr-defined]
        queue.opens_at = None if queue.is_open_now else hours.next_opening(queue, now)  # type: ignore[attr-defined]
    mine = _conversation_of(request)
    context = {"queues": found, "current": mine if mine and mine.is_open else None}
    return render(request, "chat/queues.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """The start form of a queue; who has an open conversation goes on with it, with what he wrote here."""
    # PostgreSQL does not even look for a NUL.
    queue = Queue.objects.filter(slug=slug, is_in_use=True).first() if "\x00" not in slug else None
    if queue is None:
        raise QueueGone
    token_hash = visitors.token_hash_of(request)
    mine = open_conversation_of(token_hash) if token_hash else None
    if request.method != "POST":
        if mine is not None:
            return redirect("chat:conversation")
        return _start_page(request, queue, StartForm(queue, initial=_known_of(token_hash) | {"key": str(uuid.uuid4())}))
    form = StartForm(queue, request.POST)
    if token_hash is None:
        raise Gone(
            _("Your browser did not keep the cookie that a chat needs, or it is too old. Allow cookies and try again.")
        )
    if not form.is_valid():
        return _start_page(request, queue, form, status=422)
    try:
        if mine is None:
            limits.check_start(address_of(request))
        else:
            limits.check_message(f"visitor:{mine.visitor_id}")
        open_conversation(queue.pk, _opening(request, form, token_hash))
    except (QueueClosed, NobodyThere, AlreadyEnded, TooFast) as refusal:
        form.add_error(None, str(refusal))
        return _start_page(request, queue, form, status=refusal.status, headers=refusal.headers)
    response = redirect("chat:conversation")
    visitors.renew_session(request, response)
    return response


def _start_page(
    request: HttpRequest, queue: Queue, form: StartForm, *, status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    now = database_now()
    is_open = hours.is_open(queue, now)
    context = {
        "queue": queue,
        "form": form,
        "is_open": is_open,
        "is_attended": is_attended(queue),
        "next_opening": None if is_open else hours.next_opening(queue, now),
        "others": [other for other in attended(hours.open_queues(now)) if other.pk != queue.pk],
        "page_address": form["page"].value() or foreign_page(_referer(request), request.get_host()),
        "usual_minutes": usual_minutes(queue.pk),
    }
    response = render(request, "chat/start.html", context, status=status)
    for name, value in (headers or {}).items():
        response.headers[name] = value
    if visitors.token_hash_of(request) is None:
        visitors.start_session(response)
    return response


def _referer(request: HttpRequest) -> str:
    return request.headers.get("Referer", "")[:500]


def _known_of(token_hash: str | None) -> dict[str, str]:
    """Who comes back within the day need not write his name again."""
    before = conversation_of(token_hash) if token_hash else None
    return {"name": before.visitor_name, "email": before.visitor_email} if before else {}


def _opening(request: HttpRequest, form: StartForm, token_hash: str) -> Opening:
    values = form.cleaned_data
    return Opening(
        token_hash=token_hash,
        name=values["name"],
        email=values["email"],
        question=values["question"],
        key=values["key"],
        language=translation.get_language() or settings.LANGUAGE_CODE,
        page_address=foreign_page(values["page"], request.get_host()),
        user_agent=one_line(request.headers.get("User-Agent", ""))[:400],
    )


@never_cache
@require_safe
def conversation(request: HttpRequest) -> HttpResponse:
    """The visitor's conversation: waiting, talking, or ended."""
    mine = _conversation_of(request)
    if mine is None:
        return redirect("chat:queues")
    presence.visitors_seen([mine.pk])
    context = _page_context(mine) | {"form_key": str(uuid.uuid4())}
    return _renewed(request, mine, render(request, "chat/conversation.html", context))


def _page_context(mine: Conversation) -> dict[str, Any]:
    return status_context(mine) | thread_context(mine, Audience.VISITOR)


@one_message
@require_POST
def post(request: HttpRequest) -> HttpResponse:
    """A message by a page without a socket, or without script."""
    mine = _required(request)

    def send() -> messaging.Posted:
        limits.check_message(f"visitor:{mine.visitor_id}")
        key = request.POST.get("key") or str(uuid.uuid4())
        text = request.POST.get("text", "")
        return post_with_files(request, messaging.Draft(_written_in(request, mine), Party.VISITOR, text, key))

    return _renewed(request, mine, answer_message(request, send, back_to=reverse("chat:conversation")))


def _written_in(request: HttpRequest, mine: Conversation) -> int:
    """
    The conversation that a message belongs to: the one that its page shows, though a newer one may be open.

    One that has ended takes nothing new, but says of what it took that it did.
    """
    named = request.POST.get("conversation")
    if not is_another(mine, named):
        return mine.pk
    earlier = earlier_conversation(mine, named)
    if earlier is None:
        raise AlreadyEnded
    return earlier.pk


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def end(request: HttpRequest) -> HttpResponse:
    """End the chat; asks once."""
    mine = _required(request)
    asked = request.POST if request.method == "POST" else request.GET
    if is_another(mine, asked.get("conversation")):
        return redirect("chat:conversation")  # what that page shows has ended; this is the one that goes on
    if request.method != "POST":
        return render(request, "chat/end.html", {"conversation": mine})
    closing.end_by_visitor(mine.pk)
    return redirect("chat:conversation")


@never_cache
@require_safe
def poll(request: HttpRequest) -> HttpResponse:
    """
    What a page without a socket lacks: the same frames that the socket would send.

    The page says with `last` what it has, with `seen` what its person saw, and which `conversation` that is.
    """
    mine = _required(request)
    if is_another(mine, request.GET.get("conversation")):
        return JsonResponse({"frames": [reload_frame()]})
    presence.visitors_seen([mine.pk])
    language = translation.get_language() or mine.language
    last, seen = number_in(request, "last"), number_in(request, "seen")
    if last > mine.visitor_delivered_number or seen > mine.visitor_read_number:
        reading.marked_by_visitor(mine.pk, delivered=last, read=seen)
    messages = after(mine, last)
    frames: list[dict[str, Any]] = []
    if last > mine.last_number:
        frames.append(reload_frame())
    if messages:
        frames.append(lines_frame(mine.pk, messages, Audience.VISITOR, language))
    frames.append(marks_frame(mine.pk, reading.marks_for_visitor(mine)))
    drawn = draw_status(mine, None, language) | draw_files(mine, language, with_notes=False)
    frames.append({"is": "fragments", "html": "".join(drawn.values())})
    return _renewed(request, mine, JsonResponse({"frames": frames}))


@never_cache
@require_safe
@xframe_options_sameorigin
def thread(request: HttpRequest) -> HttpResponse:
    """The thread alone, for browsers without script: framed by the page, it reloads itself at its end."""
    mine = _required(request)
    presence.visitors_seen([mine.pk])
    before = number_in(request, "before") or None
    context = thread_context(mine, Audience.VISITOR, before=before) | {"is_newest": before is None}
    return render(request, "chat/thread.html", context)


@never_cache
@require_safe
def earlier(request: HttpRequest) -> HttpResponse:
    """The lines above those that the page shows."""
    mine = _required(request)
    if is_another(mine, request.GET.get("conversation")):
        raise Gone(NO_CONVERSATION)
    context = thread_context(mine, Audience.VISITOR, before=number_in(request, "before"))
    return render(request, "chat/_earlier_lines.html", context)


def _conversation_of(request: HttpRequest) -> Conversation | None:
    return conversation_in(request.COOKIES.get(visitors.COOKIE))


def _required(request: HttpRequest) -> Conversation:
    mine = _conversation_of(request)
    if mine is None:
        raise Gone(NO_CONVERSATION)
    return mine


def _renewed(request: HttpRequest, mine: Conversation, response: HttpResponse) -> HttpResponse:
    """The answer to a visitor, whose session does not end while his conversation is open."""
    if mine.is_open:
        visitors.renew_session(request, response)
    return response
