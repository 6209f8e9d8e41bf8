from django.contrib import admin
from django.utils.translation import gettext_lazy as _


class LivedeskAdminSite(admin.AdminSite):
    """Django admin in Livedesk's colours, with the counts that matter now on its first page."""

    site_title = _("Livedesk")
    site_header = _("Livedesk")
    index_title = _("Supervision")
