#!/usr/bin/env python
"""Runs Livedesk's commands."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        settings.INSTALLED_APPS  # noqa: B018 - reads the settings, which say what is wrong with them
    except ImproperlyConfigured as problem:
        sys.exit(f"Livedesk cannot start: {problem}")
    execute_from_command_line(sys.argv)
