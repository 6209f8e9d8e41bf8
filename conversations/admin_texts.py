"""Admin of the texts around messages: templates of replies, in and out as CSV, and restricted words."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import escape
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from config.admin_parts import RetiredNotDeletedAdmin
from conversations import template_csv
from conversations.models import ReplyTemplate, RestrictedWord
from conversations.reply_templates import check_parameters


class ReplyTemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    """A template whose parameters can all be filled."""

    class Meta:
        model = ReplyTemplate
        fields = ["title", "shortcut", "text", "queue", "language", "is_in_use"]
        # Admin shows help as HTML, and this one has parameters in angle brackets.
        help_texts = {"text": escape(ReplyTemplate._meta.get_field("text").help_text)}

    def clean_text(self) -> str:
        """Line ends as the compose box writes them, and no “<” without its “>”."""
        text: str = self.cleaned_data["text"].replace("\r\n", "\n")
        check_parameters(text)
        return text


class TemplateFileForm(forms.Form):
    """The file to import."""

    file = forms.FileField(
        label=_("CSV file"),
        help_text=_("In UTF-8, at most 2 MB, with the columns title, shortcut, text, queue, language, in use."),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        error_messages={"empty": _("The file is empty."), "required": _("Choose a file.")},
    )

    def clean_file(self) -> Any:
        """Not larger than an import may be, before any of it is read."""
        file = self.cleaned_data["file"]
        if (file.size or 0) > template_csv.LARGEST:
            raise forms.ValidationError(_("The file is larger than 2 MB. Import it in parts."))
        return file


@admin.register(ReplyTemplate)
class ReplyTemplateAdmin(RetiredNotDeletedAdmin):
    """Templates of replies; what agents sent stays whatever becomes of the template."""

    form = ReplyTemplateForm
    list_display = ["title", "shortcut", "queue", "language", "is_in_use"]
    list_filter = ["is_in_use", "queue", "language"]
    list_select_related = ["queue"]
    search_fields = ["title", "shortcut", "text"]
    search_help_text = _("Words of the title, the shortcut or the text.")
    ordering = ["title", "pk"]
    autocomplete_fields = ["queue"]
    change_list_template = "admin/conversations/replytemplate/change_list.html"

    def has_history(self, row: Model) -> bool:
        """Nothing refers to a template."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """The stock pages, and two for the CSV file."""
        mine = [
            path("import/", self.admin_site.admin_view(self.import_view), name="conversations_replytemplate_import"),
            path("export/", self.admin_site.admin_view(self.export_view), name="conversations_replytemplate_export"),
        ]
        return mine + super().get_urls()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The stock list, with the ways to and from a file."""
        mine = {"may_import": self._may_import(request), **(extra_context or {})}
        return super().changelist_view(request, mine)

    def _may_import(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """All templates as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = ReplyTemplate.objects.select_related("queue").order_by("title", "pk")
        response = HttpResponse(template_csv.write(rows), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = 'attachment; filename="templates.csv"'
        return response

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Asks for the file, and says what came of it."""
        if not self._may_import(request):
            raise PermissionDenied
        is_sent = request.method == "POST"
        form = TemplateFileForm(request.POST, request.FILES) if is_sent else TemplateFileForm()
        if is_sent and form.is_valid():
            done = template_csv.read(form.cleaned_data["file"].read())
            if not done.problems:
                self._tell(request, done)
                return redirect("admin:conversations_replytemplate_changelist")
            for problem in done.problems:
                form.add_error("file", problem)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Import templates"),
            "form": form,
            "opts": self.opts,
            "columns": template_csv.COLUMNS,
        }
        template = "admin/conversations/replytemplate/import.html"
        request.current_app = self.admin_site.name
        return TemplateResponse(request, template, context, status=422 if form.errors else 200)

    def _tell(self, request: HttpRequest, done: template_csv.Imported) -> None:
        said = gettext("Imported from a file.")
        for rows, flag in ((done.added, ADDITION), (done.changed, CHANGE)):
            if rows:
                LogEntry.objects.log_actions(request.user.pk, rows, flag, change_message=said)  # type: ignore[arg-type]
        added = ngettext("%d template added", "%d templates added", len(done.added)) % len(done.added)
        changed = ngettext("%d changed", "%d changed", len(done.changed)) % len(done.changed)
        self.message_user(request, f"{added}, {changed}.", messages.SUCCESS)


class RestrictedWordForm(forms.ModelForm):  # type: ignore[type-arg]
    """A word with single blanks, so that the same one is not in the list twice."""

    class Meta:
        model = RestrictedWord
        fields = ["word", "is_in_use"]

    def clean_word(self) -> str:
        """Without blanks around it, and single ones within."""
        return " ".join(self.cleaned_data["word"].split())


@admin.register(RestrictedWord)
class RestrictedWordAdmin(RetiredNotDeletedAdmin):
    """Restricted words; every server process reads the list anew within five seconds."""

    form = RestrictedWordForm
    list_display = ["word", "is_in_use"]
    list_filter = ["is_in_use"]
    search_fields = ["word"]
    search_help_text = _("A part of the word.")
    ordering = ["word"]

    def has_history(self, row: Model) -> bool:
        """Messages that were refused or masked do not refer to the word."""
        return False
