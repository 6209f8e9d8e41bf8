"""Reads the settings from the environment, and says in one sentence what is wrong with them."""

import secrets
import zoneinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from config.threads import KEPT_CONNECTIONS

# A server that lost its power in the middle of a transaction holds its rows until the database gives it up.
SESSION_OPTIONS = "-c lock_timeout=5s -c idle_in_transaction_session_timeout=15s"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ENGINES = {
    "django.db.backends.sqlite3": "sqlite",
    "django.db.backends.postgresql": "postgresql",
}


class Environment:
    """The process's environment, read strictly: a missing or wrong value is a sentence, not a traceback later."""

    def __init__(self, root: Path) -> None:
        self.env = environ.Env()
        self.embedded = self.yes("LIVEDESK_EMBEDDED", default=False)
        self.data = Path(self.text("LIVEDESK_DATA", default=str(root / "var"))).resolve()

    def text(self, name: str, default: str = "") -> str:
        value: str = self.env.str(name, default=default)
        return value.strip()

    def yes(self, name: str, *, default: bool) -> bool:
        value = self.text(name).lower()
        if value in {"1", "true", "yes", "on"}:
            return True
        if value in {"0", "false", "no", "off"}:
            return False
        if value:
            raise ImproperlyConfigured(f"{name} is {value!r}; it takes 1 or 0.")
        return default

    def number(self, name: str, default: int, *, lowest: int, highest: int) -> int:
        text = self.text(name, default=str(default))
        if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
            raise ImproperlyConfigured(f"{name} is {text!r}; it takes a whole number from {lowest} to {highest}.")
        return int(text)

    def choice(self, name: str, choices: set[str], default: str) -> str:
        value = self.text(name, default=default)
        if value not in choices:
            raise ImproperlyConfigured(f"{name} is {value!r}; it takes {' or '.join(sorted(choices))}.")
        return value

    def names(self, name: str, default: str = "") -> list[str]:
        return [part.strip() for part in self.text(name, default=default).split(",") if part.strip()]

    def log_level(self) -> str:
        """From which level on lines are logged."""
        level = self.text("LOG_LEVEL", default="INFO").upper()
        if level not in LOG_LEVELS:
            raise ImproperlyConfigured(f"LOG_LEVEL is {level!r}; it takes one of {', '.join(LOG_LEVELS)}.")
        return level

    def time_zone(self) -> str:
        """The portal's own zone, by its name in the time zone database."""
        zone = self.text("TIME_ZONE", default="UTC")
        if zone not in zoneinfo.available_timezones():
            raise ImproperlyConfigured(f"TIME_ZONE is {zone!r}; it takes the name of a zone, like Europe/Madrid.")
        return zone

    def trusted_origins(self) -> list[str]:
        """Other origins whose pages may send forms and open sockets."""
        origins = self.names("CSRF_TRUSTED_ORIGINS")
        for origin in origins:
            if not origin.startswith(("https://", "http://")):
                raise ImproperlyConfigured(
                    f"CSRF_TRUSTED_ORIGINS has {origin!r}; it takes whole origins, like https://desk.example.com."
                )
        return origins

    def secret_key(self) -> str:
        """The key that signs sessions. Embedded, it is made once and kept beside the data."""
        key = self.text("SECRET_KEY")
        if key:
            if len(key) < 32:
                raise ImproperlyConfigured("SECRET_KEY is too short; give it at least 32 random characters.")
            return key
        if not self.embedded:
            raise ImproperlyConfigured("SECRET_KEY is missing; set it to at least 32 random characters.")
        kept = self.data / "secret-key"
        if not kept.exists():
            self.data.mkdir(parents=True, exist_ok=True)
            kept.touch(mode=0o600)
            kept.write_text(secrets.token_urlsafe(48), encoding="ascii")
        return kept.read_text(encoding="ascii").strip()

    def allowed_hosts(self) -> list[str]:
        hosts = self.names("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]" if self.embedded else "")
        if not hosts:
            raise ImproperlyConfigured(
                "ALLOWED_HOSTS is missing; name the hosts that people use, like desk.example.com."
            )
        return hosts

    def database(self) -> dict[str, object]:
        """The database of DATABASE_URL, with the options that the traffic needs."""
        if self.text("DATABASE_URL"):
            try:
                found: dict[str, object] = dict(self.env.db_url("DATABASE_URL"))
            except (environ.ImproperlyConfigured, ValueError, KeyError) as problem:
                raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {problem}.") from problem
        elif self.embedded:
            self.data.mkdir(parents=True, exist_ok=True)
            found = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(self.data / "livedesk.sqlite3")}
        else:
            raise ImproperlyConfigured(
                "DATABASE_URL is missing; set it, like postgresql://livedesk:password@db.example.com/livedesk."
            )
        engine = ENGINES.get(str(found.get("ENGINE")))
        if engine is None:
            raise ImproperlyConfigured(
                "DATABASE_URL names an unknown database; Livedesk takes postgresql:// or sqlite://."
            )
        return {**found, **(SQLITE if engine == "sqlite" else self._postgresql(found))}

    def _postgresql(self, found: dict[str, object]) -> dict[str, object]:
        size = self.number("DATABASE_POOL", 20, lowest=KEPT_CONNECTIONS + FEWEST_FOR_REQUESTS, highest=500)
        options = dict(found.get("OPTIONS") or {})  # type: ignore[call-overload]
        # Who names others has the last word.
        options["options"] = f"{SESSION_OPTIONS} {options.get('options', '')}".strip()
        options["pool"] = {
            "min_size": 1,
            "max_size": size,
            "timeout": 10,
            "reconnect_timeout": RECONNECT_SECONDS,
            "reconnect_failed": reconnect,
        }
        return {"OPTIONS": options, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}

    def file_storage(self) -> dict[str, object]:
        """Where files lie: a folder, or an S3-compatible bucket when FILES_BUCKET names one."""
        bucket = self.text("FILES_BUCKET")
        if not bucket:
            # The portal alone reads what people send. Static files keep the modes of Django: the web server reads them.
            modes = {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}
            return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": modes}
        options: dict[str, object] = {"bucket_name": bucket, "default_acl": "private", "querystring_auth": True}
        for option, name in (
            ("endpoint_url", "FILES_ENDPOINT"),
            ("region_name", "FILES_REGION"),
            ("access_key", "FILES_ACCESS_KEY"),
            ("secret_key", "FILES_SECRET_KEY"),
        ):
            if value := self.text(name):
                options[option] = value
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}

    def scanner(self) -> str:
        """Where the virus scanner of files listens; empty for none."""
        address = self.text("FILE_SCANNER")
        if not address:
            return ""
        try:
            place = urlsplit(address)
            is_known = place.scheme == "clamav" and bool(place.hostname) and place.port != 0
        except ValueError:
            is_known = False
        if not is_known:
            raise ImproperlyConfigured("FILE_SCANNER cannot be read; it looks like clamav://127.0.0.1:3310.")
        return address

    def redis_url(self, *, is_sqlite: bool) -> str:
        """Where the doorbell rings between processes; only one process with SQLite can do without."""
        url = self.text("REDIS_URL")
        if not url:
            if is_sqlite:
                return ""
            raise ImproperlyConfigured(
                "REDIS_URL is missing; several processes need it, like redis://127.0.0.1:6379/0."
            )
        if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
            raise ImproperlyConfigured("REDIS_URL cannot be read; it looks like redis://127.0.0.1:6379/0.")
        return url


# What the process's own threads do not keep; with none left, every page waits ten seconds and then fails.
FEWEST_FOR_REQUESTS = 4

# By itself the pool waits twice as long after each try, up to minutes: the portal would stay away after its database.
RECONNECT_SECONDS = 2.0


def reconnect(pool: Any) -> None:
    """The pool gave up a try: begin anew, so that one is made every second or so, however long the database is away."""
    pool.check()


# One writer at a time, full durability, and a short wait instead of "database is locked".
SQLITE: dict[str, object] = {
    "CONN_MAX_AGE": 0,
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; "
            "PRAGMA mmap_size=134217728; PRAGMA journal_size_limit=27103364; PRAGMA cache_size=2000;"
        ),
    },
}
