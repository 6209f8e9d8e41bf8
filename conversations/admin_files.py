"""Admin of the file types that may be sent."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from config.admin_input import CarefulAdmin
from conversations.file_types import is_possible
from conversations.models import FileType


class FileTypeForm(forms.ModelForm):  # type: ignore[type-arg]
    """A type that can be told by its content, and that nothing runs."""

    def clean_extension(self) -> str:
        """The ending, unless nobody could be kept safe from it."""
        extension: str = self.cleaned_data["extension"]
        if not is_possible(extension):
            raise forms.ValidationError(
                _("Files of this type cannot be allowed: they could run, or their content cannot be told from others.")
            )
        return extension


@admin.register(FileType)
class FileTypeAdmin(CarefulAdmin):
    """Which files may be sent. What was sent before stays."""

    form = FileTypeForm
    fields = ["extension", "is_in_use"]
    list_display = ["extension", "is_in_use"]
    list_filter = ["is_in_use"]
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """The ending of a type is what it is."""
        return ["extension"] if obj else []
