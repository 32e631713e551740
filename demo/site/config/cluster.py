# SPDX-License-Identifier: Apache-2.0
"""Settings of the demo site on two machines: `make cluster`.

As settings.py, but content and sessions are in one MariaDB for both, so that
a visitor who is moved to the other machine keeps everything. It is given in
SITE_DB_HOST; user, password and database are all called "site".
"""
import os

from .settings import *  # noqa: F401,F403

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.mysql",
        "HOST": os.environ["SITE_DB_HOST"],
        "NAME": "site",
        "USER": "site",
        "PASSWORD": "site",
        "OPTIONS": {"connect_timeout": 2},
        # One connection a request: none is stale when MariaDB restarts.
        "CONN_MAX_AGE": 0,
    },
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"
