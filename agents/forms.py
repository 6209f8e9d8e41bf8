"""Forms about agents."""

from typing import Any

from django import forms
from django.contrib.admin.forms import AdminPasswordChangeForm as AdminOwnPasswordForm
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    AdminUserCreationForm,
    ReadOnlyPasswordHashWidget,
    UserChangeForm,
)
from django.utils.translation import gettext_lazy as _

from agents.limits import check_own_password, knew_own_password
from agents.models import Agent, IdleReason


class NewAgentForm(AdminUserCreationForm):  # type: ignore[type-arg]
    """A new agent, with or without a password of his own."""

    class Meta(AdminUserCreationForm.Meta):
        model = Agent
        fields = ("username", "first_name", "last_name", "email", "language", "capacity")


class PasswordLinkWidget(ReadOnlyPasswordHashWidget):
    """The way to a new password, and nothing of how the one that is set is kept."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Without algorithm, salt and hash."""
        return super().get_context(name, value, attrs) | {"summary": []}


class AgentForm(UserChangeForm):  # type: ignore[type-arg]
    """What a supervisor keeps about an agent."""

    class Meta(UserChangeForm.Meta):
        model = Agent
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "password" in self.fields:
            self.fields["password"].widget = PasswordLinkWidget()


class AgentPasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]
    """A new password for an agent, saved alone: his state may have changed while the page was open."""

    def save(self, commit: bool = True) -> Any:
        """Save the password and nothing else."""
        agent = super().save(commit=False)
        if commit:
            agent.save(update_fields=["password"])
        return agent


class OwnPasswordForm(AdminOwnPasswordForm):
    """One's own new password, at the desk and in admin; saved alone as well."""

    def clean_old_password(self) -> str:
        """The old one is tried no faster than a person types it: a session that stands open is no way to guess it."""
        check_own_password(self.user.pk)
        old_password: str = super().clean_old_password()
        knew_own_password(self.user.pk)
        return old_password

    def save(self, commit: bool = True) -> Any:
        """Save the password and nothing else."""
        agent = super().save(commit=False)
        if commit:
            agent.save(update_fields=["password"])
        return agent


class IdleForm(forms.Form):
    """Which idle reason a supervisor gives."""

    reason = forms.ModelChoiceField(
        IdleReason.objects.filter(is_in_use=True), label=_("Idle reason"), required=False, empty_label=_("No reason")
    )


class SoundsForm(forms.ModelForm):  # type: ignore[type-arg]
    """How an agent's own desk sounds."""

    class Meta:
        model = Agent
        fields = ("request_sound", "sound_volume", "has_message_sound")

    def save(self, commit: bool = True) -> Agent:
        """Save the sounds and nothing else: the agent's state may have changed meanwhile."""
        agent: Agent = super().save(commit=False)
        if commit:
            agent.save(update_fields=list(self.Meta.fields))
        return agent
