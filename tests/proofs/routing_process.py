"""
One router as a process of its own: the product's router beside its doorbell, and nothing else.

`python -m tests.proofs.routing_process [MODULE:FUNCTION,…]`, with mutants as in broken_serve.py. It writes a line for
each turn (begun and ended, by the clock that all processes of a machine share; the time of day as it believes it to be)
and ends with whoever started it. Nothing of the product is read before the mutants whose names begin with `early`.
"""

import asyncio
import os
import sys
import threading
import time
from importlib import import_module


def main(names=""):
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    early = [name for name in names.split(",") if ":early_" in name]  # before the product is read
    for name in early:
        call(name)
    import_module("django").setup()
    for name in names.split(","):
        if name and name not in early:
            call(name)
    threading.Thread(target=end_with_parent, daemon=True).start()
    asyncio.run(route())


def call(name):
    module, _, function = name.partition(":")
    getattr(import_module(module), function)()


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


async def route():
    live, router = import_module("config.live"), import_module("conversations.router")
    work = router.work

    def turn():
        began = time.monotonic()
        is_more = work()
        print(began, time.monotonic(), time.time(), flush=True)
        return is_more

    router.work = turn
    hub = live.Hub()
    live.set_hub(hub)
    await hub.start()
    await router.Router(hub).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
