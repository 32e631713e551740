# SPDX-License-Identifier: Apache-2.0
"""What every answer of the site carries."""
from django.conf import settings

POLICY = ("default-src 'none'; style-src 'self'; img-src 'self'; "
          "form-action 'self'; base-uri 'none'; frame-ancestors 'none'")


def served_by(get_response):
    """Say in a header which server answered; allow nothing inline."""
    def middleware(request):
        response = get_response(request)
        response["X-Served-By"] = settings.SITE_NAME
        response["Content-Security-Policy"] = POLICY
        return response
    return middleware


def site(_request):
    """Context processor: the server's name for the templates."""
    return {"server": settings.SITE_NAME}
