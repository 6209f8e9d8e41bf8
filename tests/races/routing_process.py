"""One router as a process of its own: says `ready`, starts at the first byte, and sweeps until nothing is left."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from conversations.actions import routing  # noqa: E402

if __name__ == "__main__":
    routing.route()  # nobody is Available yet: imports and connection are warm after it
    print("ready", flush=True)
    sys.stdin.read(1)
    print(routing.route(), flush=True)
