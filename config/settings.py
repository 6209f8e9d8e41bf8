"""Livedesk's settings, all read from the environment. docs/deployment.md lists them."""

from pathlib import Path

from django.contrib.messages import constants as message_levels
from django.utils.translation import gettext_lazy as _

from config.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
environment = Environment(BASE_DIR)

EMBEDDED = environment.embedded
DATA_DIR = environment.data
DEBUG = environment.yes("DEBUG", default=False)
SECRET_KEY = environment.secret_key()
ALLOWED_HOSTS = environment.allowed_hosts()
# Plain http only in the embedded default; behind a proxy people come by https.
HTTPS = environment.yes("HTTPS", default=not EMBEDDED)
TRUSTED_PROXY = environment.yes("TRUSTED_PROXY", default=False)
CSRF_TRUSTED_ORIGINS = environment.trusted_origins()

INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "config.apps.LivedeskAdminConfig",
    "agents.apps.AgentsConfig",
    "queues.apps.QueuesConfig",
    "conversations.apps.ConversationsConfig",
    "daphne",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
]

MIDDLEWARE = [
    "config.probes.ProbesMiddleware",
    "config.middleware.ContentSecurityPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.StaffLanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.middleware.RefusedMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": environment.database()}
IS_SQLITE = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = environment.redis_url(is_sqlite=IS_SQLITE)
CHANNEL_LAYERS: dict[str, dict[str, object]]
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            # Without the time limits a Redis that hangs would hang every sender with it.
            "CONFIG": {
                "hosts": [{"address": REDIS_URL, "socket_timeout": 15, "socket_connect_timeout": 3}],
                "prefix": environment.text("REDIS_PREFIX", default="livedesk"),
            },
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

AUTH_USER_MODEL = "agents.Agent"
LOGIN_URL = "agents:sign-in"
LOGIN_REDIRECT_URL = "desk:home"
LOGOUT_REDIRECT_URL = "agents:sign-in"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("es", _("Spanish"))]
FORMAT_MODULE_PATH = ["config.formats"]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = environment.time_zone()

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Files that people send lie outside everything that is served; only the view that asks for the right reads them.
MEDIA_ROOT = DATA_DIR / "files"
STORAGES = {
    "default": environment.file_storage(),
    "staticfiles": {"BACKEND": "config.static.HashedStaticFilesStorage"},
}

SESSION_ENGINE = "config.sessions"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True  # pages carry the token themselves
CSRF_FAILURE_VIEW = "config.views.csrf_failure"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
if TRUSTED_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
MESSAGE_TAGS = {message_levels.ERROR: "error"}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "belongs_to": {"()": "config.logs.BelongsTo"},
        "briefly": {"()": "config.outage.Briefly"},
        "not_of_probes": {"()": "config.probes.NotOfProbes"},
        "their_fault": {"()": "config.logs.TheirFault"},
    },
    "formatters": {
        "line": {
            "()": "config.logs.PlainFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s [%(belongs_to)s] %(message)s",
        },
        "json": {"()": "config.logs.JsonFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": environment.choice("LOG_FORMAT", {"line", "json"}, default="line" if EMBEDDED else "json"),
            "filters": ["belongs_to", "briefly", "their_fault"],
        }
    },
    "root": {"handlers": ["stderr"], "level": environment.log_level()},
    "loggers": {
        "daphne": {"level": "WARNING"},
        "django.channels.server": {"level": "WARNING"},
        "django.request": {"filters": ["not_of_probes"]},
        # Anybody may send any host name; a traceback for each would bury what matters.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}

# Whoever shows this token may read /metrics; empty: nobody.
METRICS_TOKEN = environment.text("METRICS_TOKEN")

# The contact center's own rules (docs/deployment.md says what each changes).
FILE_MEGABYTES = environment.number("FILE_MEGABYTES", 25, lowest=1, highest=1000)
FILES_PER_MESSAGE = environment.number("FILES_PER_MESSAGE", 10, lowest=1, highest=50)
FILES_PER_CONVERSATION = environment.number("FILES_PER_CONVERSATION", 100, lowest=1, highest=10_000)
MEGABYTES_PER_CONVERSATION = environment.number("MEGABYTES_PER_CONVERSATION", 250, lowest=1, highest=100_000)
# Where a virus scanner listens, like clamav://127.0.0.1:3310; empty: files are not scanned.
FILE_SCANNER = environment.scanner()
AGENT_GRACE_SECONDS = environment.number("AGENT_GRACE_SECONDS", 60, lowest=1, highest=3600)
MESSAGES_PER_MINUTE = environment.number("MESSAGES_PER_MINUTE", 120, lowest=1, highest=100_000)
SIGN_INS_PER_MINUTE = environment.number("SIGN_INS_PER_MINUTE", 10, lowest=1, highest=100_000)
CHATS_PER_HOUR = environment.number("CHATS_PER_HOUR", 200, lowest=1, highest=1_000_000)
