# SPDX-License-Identifier: Apache-2.0
"""Settings of the demo site: what a site on several servers needs, no more.

Both servers run this same file. What differs, or belongs to the place rather
than to the code, comes from the environment:

    SITE_SECRET_KEY     required, the same on every server
    SITE_NAME           which server this is (default: the host's name)
    SITE_DB             path of the shared SQLite file
                        (default: run/demo.sqlite3 in the checkout)
    SITE_ALLOWED_HOSTS  the names the site answers to, separated by commas
                        (default: localhost,127.0.0.1,[::1])
    SITE_PEERS          the servers by the balancer's route, so that sessions
                        can be fetched from one that is about to go:
                        web1=http://127.0.0.11:8000,web2=... (default: none)
    SITE_SSL_REDIRECT   1: send http visitors to https (default: 0)
"""
import os
import socket
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


def flag(name):
    """Read an on/off variable; refuse what is neither."""
    value = os.environ.get(name, "0").strip().lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("", "0", "false", "no", "off"):
        return False
    raise ImproperlyConfigured(f"{name}={value}: write 1 or 0")


def names(name, default):
    """Read a list separated by commas."""
    value = os.environ.get(name, default)
    return [part.strip() for part in value.split(",") if part.strip()]


SITE_NAME = os.environ.get("SITE_NAME") or socket.gethostname()

# A login signed by one server must be accepted by the other: one key for all.
SECRET_KEY = os.environ.get("SITE_SECRET_KEY", "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SITE_SECRET_KEY is not set; give every server the same one")

DEBUG = False
ALLOWED_HOSTS = names("SITE_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")

# Where a session is fetched from that the balancer had to move (pages/moved.py).
# These servers are asked directly, not by way of the balancer.
SITE_PEERS = dict(peer.split("=", 1) for peer in names("SITE_PEERS", ""))

# The balancer forwards the visitor's Host as it came, so nothing is needed
# for that. It sets X-Forwarded-Proto itself and replaces what a visitor
# claims, so the header can be believed as long as only the balancer reaches
# this server.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = flag("SITE_SSL_REDIRECT")
SESSION_COOKIE_SECURE = SECURE_SSL_REDIRECT
CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT

# Sessions live in the memory of this one process. Another server does not
# know them: a visitor who lands there is logged out. That is what the
# balancer has to prevent, so the demo makes it visible.
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100000},
    },
}

# Content lives in one place for all servers. On two machines this would be
# PostgreSQL or MySQL; SQLite serves as long as both run on this machine.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SITE_DB")
        or str(BASE_DIR.parent.parent / "run" / "demo.sqlite3"),
        "OPTIONS": {"timeout": 20},
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "pages",
]
MIDDLEWARE = [
    "pages.middleware.served_by",
    "pages.moved.moved_sessions",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {
        "context_processors": [
            "django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
            "pages.middleware.site",
        ],
    },
}]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"

# public/ is laid out as the web sees it, so that a web server in front may
# serve it too; here the application does (config/urls.py).
STATIC_URL = "/static/"
STATIC_DIR = BASE_DIR / "public" / "static"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
