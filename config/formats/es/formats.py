"""The same in Spanish: only the names of months differ, and those are Django's."""

from config.formats.en.formats import *  # noqa: F403 - Django looks for each name here
