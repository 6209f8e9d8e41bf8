"""What watches the portal: is it alive, is it ready, and its numbers. Answered before everything else."""

import logging
import secrets
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from config.guards import guards
from config.health import health
from config.logs import belongs_to, new_id
from config.metrics import registry, router_lag

logger = logging.getLogger(__name__)

Handler = Callable[[HttpRequest], HttpResponse]
PROBES = ("/healthz", "/readyz", "/metrics")


class NotOfProbes(logging.Filter):
    """Keeps out what Django says of each answer to a probe: asked once a second, it would bury what matters."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        return not (isinstance(request, HttpRequest) and request.path_info in PROBES)


class ProbesMiddleware:
    """
    Answers /healthz, /readyz and /metrics, whatever the host name and without https, as watchers ask by address.

    Stands first, and gives each request its name in the logs.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self.probes = dict(zip(PROBES, (alive, ready, numbers), strict=True))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        belongs_to.set(new_id("request"))
        probe = self.probes.get(request.path_info)
        return _guarded(probe(request)) if probe else self.get_response(request)


def alive(request: HttpRequest) -> HttpResponse:
    """The process runs and answers."""
    return _json({"status": "alive"}, 200)


def ready(request: HttpRequest) -> HttpResponse:
    """The process can serve: database, line to the others, router; 503 with what is missing. Changes are logged."""
    faults = health.faults()
    if faults != health.told_faults:
        health.told_faults = faults
        logger.warning("Not ready: %s.", ", ".join(faults)) if faults else logger.info("Ready again.")
    return _json({"status": "not ready" if faults else "ready", "faults": faults}, 503 if faults else 200)


def numbers(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics, for whoever has METRICS_TOKEN; without that setting there is no such page."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not settings.METRICS_TOKEN or not secrets.compare_digest(given.encode(), settings.METRICS_TOKEN.encode()):
        return _json({"status": "not found"}, 404)
    router_lag.set(time.monotonic() - (health.swept_at or health.started_at))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _json(what: dict[str, object], status: int) -> HttpResponse:
    return JsonResponse(what, status=status)


def _guarded(response: HttpResponse) -> HttpResponse:
    for name, value in guards():
        response.headers[name] = value
    return response
