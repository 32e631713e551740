# SPDX-License-Identifier: Apache-2.0
"""What gunicorn (or mod_wsgi) loads: config.wsgi:application."""
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
