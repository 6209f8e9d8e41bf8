"""manage.py demo: the demo's queues, agents and conversations, into an empty database only."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.demo import PASSWORD, SIGN_INS, load_demo


class Command(BaseCommand):
    """Loads the demo, never over existing data."""

    help = "Loads the demo (queues, agents, finished conversations) into an empty database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="Do nothing, instead of refusing, when the database has data already."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if load_demo():
            self.stdout.write(f"Demo loaded. Sign in as {', '.join(SIGN_INS)}; the password is {PASSWORD}.")
        elif not options["once"]:
            raise CommandError("The database has data already, so the demo was not loaded. It needs an empty one.")
