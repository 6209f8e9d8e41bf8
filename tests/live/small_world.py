"""An agent and a visitor in a talk, made in the database of DATABASE_URL; prints who holds which cookie."""

import json
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from tests.live.sockets import Talk  # noqa: E402

if __name__ == "__main__":
    talk = Talk()
    print(json.dumps({"visitor": talk.visitor_cookie, "agent": talk.agent_cookie, "conversation": talk.id}))
