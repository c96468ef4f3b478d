"""Every setting of the site, read once from the environment; a bad value names its variable.

Rules between settings are system checks (``labsite.checks``). The agent has settings of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from celery.schedules import schedule
from csp.constants import NONCE, NONE, SELF
from environs import Env, validate

from labsite import sentry

env = Env(prefix="BULKHEAD_")
BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = env.path("STATE_DIR", Path("/var/lib/bulkhead"))
REDIS_URL = env.str("REDIS_URL", "unix:///run/bulkhead/redis.sock?db=0")

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "")
# This machine asks by its own address, whatever browsers type: `./lab up` whether the site serves, Prometheus for figures.
ALLOWED_HOSTS = [*env.list("ALLOWED_HOSTS", ["localhost", "[::1]"]), "127.0.0.1"]
ORIGIN = env.str("ORIGIN", "")
CSRF_TRUSTED_ORIGINS = [ORIGIN] if ORIGIN else []
IS_HTTPS = ORIGIN.startswith("https://")
PREVIEW_HOST = env.str("PREVIEW_HOST", "").lower()
CONTENT_DIRS = [Path(item) for item in env.list("CONTENT_DIRS", [str(BASE_DIR / "labs" / "content")])]
PUBLISHED_DIR = STATE_DIR / "content"
WORKERS_AT = env.str("WORKERS_AT", "")
"""Where worker hosts reach the site's Redis over TLS, as address:port; empty: no host can join."""

# Words of design.md, "Sessions".
SESSIONS_MAXIMUM = env.int("SESSIONS_MAXIMUM", 2, validate=validate.Range(min=1, max=20))
SESSION_OVERDUE_SECONDS = env.int("SESSION_OVERDUE_SECONDS", 180, validate=validate.Range(min=10))
SESSION_NUDGE_SECONDS = env.int("SESSION_NUDGE_SECONDS", 5, validate=validate.Range(min=2))
HOST_SILENT_SECONDS = env.int("HOST_SILENT_SECONDS", 15, validate=validate.Range(min=7))
SESSION_ORPHANED_SECONDS = env.int("SESSION_ORPHANED_SECONDS", 1800, validate=validate.Range(min=60))
SESSION_KEPT_MIB = env.int("SESSION_KEPT_MIB", 2048, validate=validate.Range(min=1))
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
SYNTHETIC_MINUTES = env.int("SYNTHETIC_MINUTES", 0, validate=validate.Range(min=0, max=1440))
SYNTHETIC_LESSON = env.str("SYNTHETIC_LESSON", "")
SYNTHETIC_URL = env.str("SYNTHETIC_URL", "")
HOST_HOUR_PRICE = env.float("HOST_HOUR_PRICE", 0.0, validate=validate.Range(min=0))
SENTRY_DSN = env.str("SENTRY_DSN", "", validate=sentry.check)
SESSION_KEPT_DAYS = env.int("SESSION_KEPT_DAYS", 7, validate=validate.Range(min=0, max=365))

INSTALLED_APPS = [
    "daphne", "channels",
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.messages", "whitenoise.runserver_nostatic", "django.contrib.staticfiles",
    "allauth", "allauth.account", "allauth.mfa",
    "csp", "django_htmx", "rules.apps.AutodiscoverRulesConfig",
    "labs.apps.LabsConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",  # after WhiteNoise, whose files are compressed already
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "labsite.urls"
ASGI_APPLICATION = "labsite.asgi.application"
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "DIRS": [BASE_DIR / "templates"],
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
        "csp.context_processors.nonce",
    ]},
}]

DATABASES = {"default": env.dj_db_url("DATABASE_URL", f"sqlite:///{STATE_DIR / 'web' / 'db.sqlite3'}")}
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}  # labsite/handler.py keeps the threads they belong to
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE", "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer",
                              "CONFIG": {"hosts": [REDIS_URL], "prefix": "bulkhead:notices", "expiry": 30}}}

# Kombu spells a unix socket "redis+socket:///path?virtual_host=n".
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 10, "socket_connect_timeout": 3, "socket_keepalive": True,
                                   "health_check_interval": 10,
                                   # What a killed worker held is handed out again after two minutes, not after an hour.
                                   "visibility_timeout": 120, "unacked_mutex_expire": 10, "unacked_restore_interval": 10,
                                   "unacked_restore_throttle": 1}
CELERY_TASK_DEFAULT_QUEUE = "web"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE_DIR / "web" / "beat")
CELERY_BEAT_SCHEDULE = {
    "timers": {"task": "web.watch_sessions", "schedule": schedule(2.0), "options": {"expires": 2}},
    "hosts": {"task": "web.watch_hosts", "schedule": schedule(2.0), "options": {"expires": 2}},
}

if SYNTHETIC_MINUTES:
    CELERY_BEAT_SCHEDULE["synthetic"] = {"task": "web.walk_as_student", "schedule": schedule(SYNTHETIC_MINUTES * 60.0),
                                         "options": {"expires": 60}}

AUTHENTICATION_BACKENDS = [
    "rules.permissions.ObjectPermissionBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "course-home"
SIGNUP_OPEN = env.bool("SIGNUP_OPEN", True)
ACCOUNT_ADAPTER = "labs.accounts.AccountAdapter"
ACCOUNT_FORMS = {"login": "labs.account_forms.SignIn", "signup": "labs.account_forms.SignUp",
                 "reset_password": "labs.account_forms.NewPassword"}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = env.str("EMAIL_VERIFICATION", "none")
MFA_ALLOW_UNVERIFIED_EMAIL = ACCOUNT_EMAIL_VERIFICATION == "none"  # else nobody could verify one, nor have a second factor
MFA_TOTP_ISSUER = "Bulkhead"
EMAIL_BACKEND = env.str("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
ONE_TIME_LINK_SECONDS = 24 * 3600

CONTENT_SECURITY_POLICY = {"DIRECTIVES": {
    "default-src": [NONE], "script-src": [SELF, NONCE], "style-src": [SELF, NONCE], "img-src": [SELF, "data:"],
    "font-src": [SELF], "connect-src": [SELF], "form-action": [SELF], "base-uri": [NONE],
    "frame-ancestors": [NONE], "manifest-src": [SELF],
}}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = True
if IS_HTTPS:  # a page on another host name of the domain, as a preview is, can't set cookies of these names
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
SILENCED_SYSTEM_CHECKS = [
    "security.W005", "security.W021",  # the other names of the school's domain, and browsers' own lists, are not ours to bind
    "security.W008",  # the proxy redirects; what reaches this process without it comes from this machine
]

LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", "UTC")

STATIC_URL = "/static/"
STATIC_ROOT = env.path("STATIC_DIR", STATE_DIR / "static")
_dist = BASE_DIR / "static" / "dist"
STATICFILES_DIRS = [_dist] if _dist.is_dir() else []
STORAGES = {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
            "staticfiles": {"BACKEND": "labsite.static_files.HashedFiles"}}
WHITENOISE_USE_FINDERS = DEBUG

LOG_FORMAT = env.str("LOG_FORMAT", "text", validate=validate.OneOf(("text", "json")))
_process = next((name for word, name in (("celery", "worker"), ("daphne", "web")) if word in sys.argv[0]), "manage")
LOGGING = {
    "version": 1, "disable_existing_loggers": False,
    "formatters": {"text": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
                   "json": {"()": "labsite.logs.json_formatter", "process": _process}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": env.log_level("LOG_LEVEL", "INFO")},
}
if SENTRY_DSN:
    LOGGING["handlers"]["sentry"] = {"class": "labsite.sentry.SentryHandler", "dsn": SENTRY_DSN}
    LOGGING["root"]["handlers"].append("sentry")
