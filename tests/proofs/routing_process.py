"""
One router as a process of its own: the product's router beside its doorbell, and nothing else.

`python -m tests.proofs.routing_process [--nursery=N] [MODULE:FUNCTION,…]`, mutants as in broken_serve.py. It writes
a line for each turn (begun and ended, by the clock that all processes of a machine share; the time of day as it
believes it to be; whether it looked at the deadlines) and ends with whoever started it. Nothing of the product is read
before the mutants whose names begin with `early`.

A nursery is no router: for each set of three pipes that comes through socket N it becomes one more process, which is.
"""

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from importlib import import_module


def main(*arguments):
    names = "".join(argument for argument in arguments if not argument.startswith("--")).split(",")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    early = [name for name in names if ":early_" in name]  # before the product is read
    for name in early:
        call(name)
    import_module("django").setup()
    for name in names:
        if name and name not in early:
            call(name)
    import_module("conversations.router")
    for argument in arguments:
        if argument.startswith("--nursery="):
            bear(socket.socket(fileno=int(argument.partition("=")[2])))
    threading.Thread(target=end_with_parent, daemon=True).start()
    asyncio.run(route())


def bear(channel):
    """Comes back in every child alone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    while True:
        asked, pipes, _flags, _address = socket.recv_fds(channel, 1, 3)
        if not asked:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            channel.close()
            for number, pipe in enumerate(pipes):
                os.dup2(pipe, number)
        for pipe in pipes:
            os.close(pipe)
        if pid == 0:
            return
        channel.send(str(pid).encode())


def call(name):
    module, _, function = name.partition(":")
    getattr(import_module(module), function)()


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


async def route():
    live, router = import_module("config.live"), import_module("conversations.router")
    work = router.work

    def turn(**what):
        began = time.monotonic()
        made = work(**what)
        print("turn", began, time.monotonic(), time.time(), int(what["is_sweep"]), flush=True)
        return made

    router.work = turn
    hub = live.Hub()
    live.set_hub(hub)
    await hub.start()
    await router.Router(hub).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
