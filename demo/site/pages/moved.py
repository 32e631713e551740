# SPDX-License-Identifier: Apache-2.0
"""A session that was moved is fetched from the server that has it in memory.

The balancer says with LBSticky-Moved where it was (LBStickyControl on), and
takes that field out of what visitors send. Servers prove to each other that
they know SECRET_KEY: what they ask and answer is signed and 30 seconds old at
most.
"""
import logging
import re
import urllib.request

from django.conf import settings
from django.contrib.sessions.backends.cache import SessionStore
from django.core import signing
from django.http import Http404, HttpResponse, HttpResponseForbidden

ASK, ANSWER, AGE = "moved.ask", "moved.answer", 30  # two salts, seconds
FROM = re.compile(r'from="?([^";]+)"?;')


def fetch(peer, key):
    """Put the session that a peer has into this server's memory."""
    url = settings.SITE_PEERS[peer] + "/moved/" + signing.dumps(key, salt=ASK)
    host = settings.ALLOWED_HOSTS[0].lstrip(".")
    asked = urllib.request.Request(url, headers={
        "Host": host, "X-Forwarded-Proto": "https"})
    with urllib.request.urlopen(asked, timeout=2) as answer:
        session = SessionStore(key)
        session._session_cache = signing.loads(
            answer.read().decode(), salt=ANSWER, max_age=AGE)[key]
        session.save(must_create=True)


def moved_sessions(get_response):
    """Before the session is asked for, fetch it from where it was."""
    def middleware(request):
        peer = FROM.match(request.headers.get("LBSticky-Moved", ""))
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        if (peer and peer[1] in settings.SITE_PEERS and key
                and not SessionStore().exists(key)):
            try:
                fetch(peer[1], key)
            except Exception:  # the visitor logs in again
                logging.warning("session not fetched", exc_info=True)
        return get_response(request)
    return middleware


def give(_request, asked):
    """The other end: a session, for those who know SECRET_KEY."""
    try:
        key = signing.loads(asked, salt=ASK, max_age=AGE)
    except signing.BadSignature:
        return HttpResponseForbidden()
    if not SessionStore().exists(key):
        raise Http404
    data = dict(SessionStore(key).items())
    return HttpResponse(signing.dumps({key: data}, salt=ANSWER, compress=True))
