# SPDX-License-Identifier: Apache-2.0
"""A visitor of the site: as much of a browser as the proof needs."""
import copy
import functools
import http.client
import http.cookiejar
import re
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request

SECONDS = 15


class NoAnswer(Exception):
    """The server said nothing at all; the text says what happened."""


class Answer:
    """One response, read to its end."""

    def __init__(self, response, seconds):
        self.status = response.status
        self.url = response.url
        self.server = response.headers.get("X-Served-By")
        self.set_cookies = response.headers.get_all("Set-Cookie") or []
        self.body = response.read()
        self.seconds = seconds

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def part(self, ident):
        """The text of the element with this id; None if there is none."""
        found = re.search(rf'id="{ident}"[^>]*>([^<]*)<', self.text)
        return found.group(1).strip() if found else None

    @property
    def visits(self):
        number = self.part("visits")
        return int(number) if number and number.isdecimal() else None

    @property
    def brief(self):
        """For messages: what came back, in a few words."""
        return f"status {self.status} from {self.server or 'no server'}"


class _FromAddress(urllib.request.HTTPHandler):
    """HTTP from a client address of our own: 127.0.0.0/8 is all this machine,
    so every visitor can have one, as visitors do. Counts what it sends."""

    def __init__(self, address):
        super().__init__()
        self.sent = 0
        self.connect = functools.partial(http.client.HTTPConnection,
                                         source_address=(address, 0))

    def http_open(self, request):
        self.sent += 1
        return self.do_open(self.connect, request)


class Visitor:
    """A client address, a browser's name, and a cookie jar."""

    def __init__(self, base, address, host=None):
        self.base = base
        self.address = address
        self.headers = {"Host": host} if host else {}
        self.jar = http.cookiejar.CookieJar()
        self.line = _FromAddress(address)
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), self.line,
            urllib.request.HTTPCookieProcessor(self.jar))
        self.opener.addheaders = [("User-Agent", f"visitor at {address}")]

    @property
    def sent(self):
        """How many requests went out, redirects included."""
        return self.line.sent

    def cookie(self, name):
        """The value the jar holds; None if it holds none."""
        return next((c.value for c in self.jar if c.name == name), None)

    def at(self, base):
        """The same visitor with the same cookies who asks another address
        for the same site."""
        twin = Visitor(base, self.address,
                       urllib.parse.urlsplit(self.base).netloc)
        for cookie in map(copy.copy, self.jar):
            cookie.domain = urllib.parse.urlsplit(base).hostname
            twin.jar.set_cookie(cookie)
        return twin

    def get(self, path):
        return self._ask(path, None, {})

    def post(self, path, fields, file=None):
        """Send a form; with `file`, (field, name, bytes), as an upload."""
        if file:
            body, kind = multipart(fields, *file)
        else:
            body = urllib.parse.urlencode(fields).encode()
            kind = "application/x-www-form-urlencoded"
        return self._ask(path, body, {"Content-Type": kind})

    def submit(self, path, fields, file=None):
        """Open the page and send its form with the token found in it."""
        page = self.get(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"',
                          page.text)
        if not token:
            raise NoAnswer(f"{path} shows no form with a CSRF token "
                           f"({page.brief})")
        return self.post(path, {"csrfmiddlewaretoken": token.group(1),
                                **fields}, file)

    def _ask(self, path, body, headers):
        request = urllib.request.Request(self.base + path, body,
                                         {**self.headers, **headers})
        begun = time.monotonic()
        try:
            response = self.opener.open(request, timeout=SECONDS)
        except urllib.error.HTTPError as error:
            response = error
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"no answer to {request.get_method()} "
                           f"{request.full_url}: {error}") from error
        with response:
            answer = Answer(response, time.monotonic() - begun)
        return answer


def multipart(fields, field, name, content):
    """Encode a form with one file (RFC 7578)."""
    mark = secrets.token_hex(16)
    parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{key}"'
             f'\r\n\r\n{value}\r\n'.encode() for key, value in fields.items()]
    parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="{field}";'
                 f' filename="{name}"\r\nContent-Type: application/'
                 'octet-stream\r\n\r\n'.encode())
    body = b"".join(parts) + content + f"\r\n--{mark}--\r\n".encode()
    return body, f"multipart/form-data; boundary={mark}"
