"""Signing in, and what the staff choose for themselves: language, sounds, password."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from agents import actions
from agents.forms import OwnPasswordForm, SoundsForm
from agents.limits import check_sign_in, signed_in
from agents.models import Agent
from agents.requests import agent_of, sign_in_required
from config.addresses import address_of
from config.refusal import TooFast


class SignInView(LoginView):
    """Sign in; the agent is Idle then, until he becomes available by hand."""

    template_name = "agents/sign_in.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: str, **kwargs: Any) -> HttpResponse:
        """Nobody tries passwords faster than a person types them; who does is told so on the page."""
        username = request.POST.get("username", "")
        try:
            check_sign_in(address_of(request), username)
        except TooFast as refusal:
            return self._too_fast(refusal, username)
        return super().post(request, *args, **kwargs)

    def _too_fast(self, refusal: TooFast, username: str) -> HttpResponse:
        # Not the form as it was sent: to look at it would be to try the password.
        form = self.get_form_class()(self.request, initial={"username": username[:150]})
        context = self.get_context_data(form=form, refusal=str(refusal))
        return self.render_to_response(context, status=refusal.status, headers=refusal.headers)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        signed_in(address_of(self.request), self.request.POST.get("username", ""))
        actions.sign_in(form.get_user().pk)
        return response


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Choose the language of one's own pages or, before signing in, of the sign-in page in this browser."""
    code = request.POST.get("language", "")
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    response = HttpResponseRedirect(target if is_ours else resolve_url(reverse("desk:home")))
    if code not in dict(settings.LANGUAGES):
        return response
    if request.user.is_authenticated:
        Agent.objects.filter(pk=agent_of(request).pk).update(language=code)
    else:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            code,
            path=reverse("agents:sign-in"),
            httponly=True,
            secure=settings.HTTPS,
            samesite="Lax",
        )
    return response


@require_POST
@sign_in_required
def sounds(request: HttpRequest) -> HttpResponse:
    """Keep how one's own desk sounds; what is wrong comes back in the dialog."""
    # A row of its own: a form that is not valid leaves its values on the agent, and the dialog shows the stored ones.
    form = SoundsForm(request.POST, instance=Agent.objects.get(pk=agent_of(request).pk))
    is_live = bool(request.htmx)  # type: ignore[attr-defined]
    if form.is_valid():
        form.save()
        return HttpResponse(status=204) if is_live else redirect("desk:home")
    template = "desk/_sounds_fields.html" if is_live else "desk/sounds.html"
    return render(request, template, {"agent": agent_of(request), "sounds_form": form}, status=422)


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sign_in_required
def password(request: HttpRequest) -> HttpResponse:
    """One's own new password. This session goes on; all others end, and the pages that they opened."""
    form = OwnPasswordForm(agent_of(request), request.POST if request.method == "POST" else None)
    try:
        is_right = form.is_valid()
    except TooFast as refusal:
        # Not the form as it was sent: to look at it would be to try the password.
        context = {"form": OwnPasswordForm(agent_of(request)), "refusal": str(refusal)}
        return TemplateResponse(
            request, "agents/password.html", context, status=refusal.status, headers=refusal.headers
        )
    if not is_right:
        return render(request, "agents/password.html", {"form": form}, status=422 if form.is_bound else 200)
    update_session_auth_hash(request, form.save())
    messages.success(
        request, gettext("Your password is changed. Wherever else you were signed in, you are signed out.")
    )
    return redirect("desk:home")
