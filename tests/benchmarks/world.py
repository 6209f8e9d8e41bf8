"""So many talks of one agent and one visitor each, in the database of the environment; prints their cookies."""

import json
import sys

import django

django.setup()

from tests import make  # noqa: E402
from tests.live.sockets import Talk  # noqa: E402

if __name__ == "__main__":
    queue = make.queue()
    talks = [Talk(queue=queue, lead=make.agent(queues=[queue])) for _ in range(int(sys.argv[1]))]
    print(
        json.dumps(
            [{"visitor": talk.visitor_cookie, "agent": talk.agent_cookie, "conversation": talk.id} for talk in talks]
        )
    )
