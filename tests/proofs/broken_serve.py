"""
The portal, broken on purpose: `python -m tests.proofs.broken_serve MODULE:FUNCTION[,…] serve --fd N`.

Each function patches the product within this process; then the command runs as manage.py would run it. A proof that
does not turn red on such a build proves nothing.
"""

import os
import sys
from importlib import import_module

import django
from django.core.management import execute_from_command_line

from tests.portals import Portal


class BrokenPortal(Portal):
    """A portal of which a mutant is running: `BrokenPortal(folder, "tests.proofs.mutants:no_bound", **environment)`."""

    def __init__(self, folder, mutants, **environment):
        super().__init__(folder, **environment)
        self.program = ("-m", "tests.proofs.broken_serve", mutants)


def main(names, *arguments):
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    import_module("config.server")  # Daphne chooses Twisted's reactor and therefore comes first
    for name in names.split(","):
        module, _, function = name.partition(":")
        getattr(import_module(module), function)()
    execute_from_command_line(["manage.py", *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
