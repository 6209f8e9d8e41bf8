"""`manage.py serve`: one server process, pages and live traffic together."""

import os
import socket
import sys
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import check_password
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from config import demo
from config.asgi import application
from config.server import BACKLOG, DrainingServer, end_at_once, endpoint


class Command(BaseCommand):
    help = "Serves Livedesk: pages, live traffic, routing and deadlines. SIGTERM ends it in order."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        where = parser.add_mutually_exclusive_group()
        parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1", help="address to listen on")
        where.add_argument("--port", default=os.environ.get("PORT") or "8000", help="port to listen on")
        where.add_argument("--fd", type=int, help="a socket that listens already, as its number")
        where.add_argument("--unix", metavar="PATH", help="path of a Unix socket")
        parser.add_argument("--welcome", action="store_true", help="say where people go, and the demo's sign-ins")

    def handle(self, *args: Any, **options: Any) -> None:
        welcome = welcome_text(options["host"], options["port"]) if options["welcome"] else ""
        connections.close_all()

        server = DrainingServer(
            application,
            endpoints=[address_of(options)],
            listening=lambda: self.say(welcome),
        )
        server.run()

        if server.refused_port:
            raise CommandError(refusal(options, server.refused_port))
        if server.has_unfinished_work:
            end_at_once(server)
        if server.has_failed:
            sys.exit(1)

    def say(self, text: str) -> None:
        if text:
            self.stdout.write(text)
            self.stdout.flush()


def address_of(options: dict[str, Any]) -> str:
    """The endpoint that the options name."""
    if options["unix"]:
        return f"unix:{options['unix']}:backlog={BACKLOG}"
    if options["fd"] is not None:
        # Whoever opened it may have given it a short line; it can be lengthened here.
        with socket.socket(fileno=os.dup(options["fd"])) as handed_over:
            handed_over.listen(BACKLOG)
        return f"fd:fileno={options['fd']}"
    port = str(options["port"])
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise CommandError(f"The port is {port!r}; it takes a number from 0 to 65535.")
    return endpoint(options["host"], int(port))


def refusal(options: dict[str, Any], reason: str) -> str:
    """Why nothing listens, as a sentence that says what to do."""
    if options["unix"]:
        return f"The server cannot listen on {options['unix']}: {reason}"
    if "Address already in use" in reason:
        return (
            f"Port {options['port']} on {options['host']} is in use by another program. "
            f"Stop it, or choose another port, like PORT={int(options['port']) + 1}."
        )
    return f"The server cannot listen on {options['host']}, port {options['port']}: {reason}"


def welcome_text(host: str, port: str) -> str:
    """Where people go; and, as long as the demo's people can sign in, how."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    base = f"http://{shown}:{port}"
    lines = ["", f"Chat page  {base}/chat/", f"Desk       {base}/desk/", f"Admin      {base}/admin/"]
    people = demo_people()
    if people:
        agents = ", ".join(name for name in people if name in demo.AGENTS)
        supervisors = ", ".join(name for name in people if name not in demo.AGENTS)
        lines += ["", f"Agents {agents}; supervisor {supervisors}; password {demo.PASSWORD}"]
    return "\n".join([*lines, "", "Ctrl-C ends it.", ""])


def demo_people() -> list[str]:
    """The demo's people who can still sign in with its password."""
    people = get_user_model().objects.filter(username__in=demo.SIGN_INS, is_active=True)
    passwords = dict(people.values_list("username", "password"))
    return [name for name in demo.SIGN_INS if name in passwords and check_password(demo.PASSWORD, passwords[name])]
