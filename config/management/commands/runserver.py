"""`manage.py runserver`: development with the same server, so that routing and deadlines run there too."""

from daphne.management.commands.runserver import Command as DaphneRunserver

from config.server import DrainingServer


class Command(DaphneRunserver):  # type: ignore[misc]
    server_cls = DrainingServer
