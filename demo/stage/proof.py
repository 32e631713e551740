# SPDX-License-Identifier: Apache-2.0
"""The proof: visitors use the site through the balancer, and each promise is
checked against what they really get. Nothing here knows what to expect but
the promises themselves."""
import collections
import hashlib
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

from .place import MEMBERS, TOP, short
from .visitor import Visitor

COOKIE = "LBSTICKY_app"
REQUESTS = 20           # of the first visitor
CROWD = 30              # new visitors, all at once
FAIR_SHARE = 3          # of CROWD, at least, for each server
CROWDS = 3              # at most, until one is shared like that
CROWD_PAUSE = 3         # seconds between two
UPLOAD_BYTES = 1_000_000
BACK_SECONDS = 20       # until a server that is back has a new visitor


class Failed(Exception):
    """A promise was not kept."""

    def __init__(self, what, expected, seen):
        super().__init__(f"{what}\nexpected: {expected}\nseen:     {seen}")


def expect(good, what, expected, seen):
    """Go on if `good`; otherwise end the proof and say why."""
    if not good:
        raise Failed(what, expected, seen)


def other_than(name):
    """The name of the other server."""
    return next(member for member in MEMBERS if member != name)


class Proof:
    """The steps in order; each builds on the visitors of those before."""

    def __init__(self, place, screen, servers, password):
        self.place = place
        self.screen = screen
        self.servers = servers      # name -> Gunicorn
        self.password = password
        self.visitors = []          # everybody who used the balancer
        self.first = None           # the visitor of steps 1, 3, 4, 5 and 6
        self.home = None            # the server that visitor is on
        self.crowd = {}             # visitor of step 2 -> its server
        self.before = None          # the balancer's counters at the start

    STEPS = (
        ("One visitor, 20 requests: always the same server", "one_visitor"),
        ("30 new visitors at once: both servers get some", "crowd_spreads"),
        ("Login and a form with CSRF", "login_and_form"),
        ("A static file and an upload, byte for byte", "files"),
        ("One server is killed: the other answers", "server_dies"),
        ("The server is back: new visitors use it", "server_returns"),
        ("The balancer's own account agrees", "account"),
    )

    def run(self):
        """Take every step; raises Failed or visitor.NoAnswer at the
        first that does not hold."""
        self.before = self.decisions()
        for number, (title, step) in enumerate(self.STEPS, 1):
            self.screen.title(f"{number}/{len(self.STEPS)}  {title}")
            for line in getattr(self, step)():
                self.screen.ok(line)

    def new_visitor(self):
        """Somebody who was never here: a new address, an empty jar."""
        net, host = divmod(len(self.visitors), 250)
        visitor = Visitor(self.place.site_url, f"127.0.{77 + net}.{host + 1}")
        self.visitors.append(visitor)
        return visitor

    def page(self, visitor, what):
        """The home page, which must come, and from one of the servers."""
        answer = visitor.get("/")
        expect(answer.status == 200 and answer.server in MEMBERS, what,
               "status 200 from " + " or ".join(MEMBERS), answer.brief)
        return answer

    def stays(self, visitor, server, visits, what):
        """One more page, from this server, with the counter gone on."""
        answer = self.page(visitor, what)
        expect((answer.server, answer.visits) == (server, visits), what,
               f"{server} with its counter at {visits}",
               f"{answer.server} with its counter at {answer.visits}")
        return answer

    # --- the steps

    def one_visitor(self):
        self.first = self.new_visitor()
        self.home = self.page(self.first, "the first request").server
        issued = self.first.cookie(COOKIE)
        expect(issued, "the first answer", f"a cookie {COOKIE}",
               f"cookies {sorted(c.name for c in self.first.jar)}")
        for number in range(2, REQUESTS + 1):
            self.stays(self.first, self.home, number, f"request {number}")
            self.screen.progress(number, REQUESTS, self.home)
        yield (f"{REQUESTS} of {REQUESTS} answers from {self.home}, "
               f"the session's counter is at {REQUESTS}")

    def crowd_spreads(self):
        # The default method prefers the server that answered faster of late.
        # On a busy machine one hiccup can cost a server most of a crowd, for
        # some seconds; not the next crowd too.
        for crowd in range(1, CROWDS + 1):
            shares = self.crowd_comes()
            seen = ", ".join(f"{name} {shares[name]}" for name in MEMBERS)
            if min(shares[name] for name in MEMBERS) >= FAIR_SHARE:
                break
            expect(crowd < CROWDS, f"{CROWDS} times {CROWD} new visitors",
                   f"at least {FAIR_SHARE} for each server, once", seen)
            self.screen.ok(f"{seen}: uneven; {CROWD} others come")
            time.sleep(CROWD_PAUSE)
        yield f"{seen}; each stayed where the first request went"

    def crowd_comes(self):
        """CROWD new visitors at once; returns how many each server got."""
        visitors = [self.new_visitor() for _ in range(CROWD)]
        with ThreadPoolExecutor(CROWD) as pool:
            for done, (visitor, server) in enumerate(
                    zip(visitors, pool.map(self.visits_twice, visitors)), 1):
                self.crowd[visitor] = server
                self.screen.progress(done, CROWD)
        return collections.Counter(self.crowd[each] for each in visitors)

    def visits_twice(self, visitor):
        server = self.page(visitor, "a new visitor").server
        self.stays(visitor, server, 2, "a new visitor's second request")
        return server

    def login_and_form(self):
        answer = self.first.submit("/login/", {
            "username": "demo", "password": self.password})
        expect(answer.part("user") == "demo", "after the login",
               "a page that greets demo", f"{answer.brief}, user "
               f"{answer.part('user')}")
        yield f"logged in on {answer.server}"

        # The same cookies, sent straight to the servers, past the balancer.
        lone = other_than(self.home)
        for name, user in ((self.home, "demo"), (lone, None)):
            answer = self.first.at(self.servers[name].url).get("/login/")
            expect(answer.part("user") == user, "the same cookies, sent "
                   f"straight to {name}", f"user {user}",
                   f"{answer.brief}, user {answer.part('user')}")
        yield (f"{lone} does not know this login: without stickiness the "
               "visitor would be logged out")

        text = f"proof {secrets.token_hex(4)}"
        answer = self.first.submit("/notes/", {"text": text})
        expect(answer.status == 200 and text in answer.text,
               "posting a note", f"the note '{text}' on the page",
               answer.brief)
        refused = self.first.post("/notes/", {"text": text})
        expect(refused.status == 403, "posting without the token",
               "status 403", refused.brief)
        yield "a note was posted, and refused without its CSRF token"

    def files(self):
        path = TOP / "demo" / "site" / "public" / "static" / "site.css"
        answer = self.first.get("/static/site.css")
        expect(answer.status == 200 and answer.body == path.read_bytes(),
               "the static file", f"the bytes of {short(path)}",
               f"{answer.brief}, {len(answer.body)} bytes")
        yield f"/static/site.css, {len(answer.body)} bytes"

        content = secrets.token_bytes(UPLOAD_BYTES)
        digest = hashlib.sha256(content).hexdigest()
        answer = self.first.submit("/upload/", {},
                                   ("file", "proof.bin", content))
        expect(answer.part("sha256") == digest
               and answer.part("size") == str(UPLOAD_BYTES), "the upload",
               f"{UPLOAD_BYTES} bytes, SHA-256 {digest}",
               f"{answer.brief}: {answer.part('size')} bytes, SHA-256 "
               f"{answer.part('sha256')}")
        yield f"an upload of {UPLOAD_BYTES} bytes, SHA-256 {digest[:16]}..."

    def server_dies(self):
        lost, left = self.home, other_than(self.home)
        old = self.first.cookie(COOKIE)
        self.servers[lost].kill()
        answer = self.page(self.first, f"the next request, {lost} killed")
        expect(answer.server == left, f"the next request, {lost} killed",
               f"an answer from {left}", answer.brief)
        new = self.first.cookie(COOKIE)
        expect(new and new != old, "that answer's cookie",
               f"a new {COOKIE}", "the old one" if new else "none")
        yield (f"{lost} killed; {left} answered the next request after "
               f"{answer.seconds * 1000:.0f} ms, with a new cookie")

        for number in range(2, 6):
            self.stays(self.first, left, number, "after the move")
        yield f"the visitor stays on {left}"
        self.home = left
        moved = self.visit_again(left)
        yield (f"{len(self.crowd) - moved} visitors of {left} noticed "
               f"nothing, {moved} of {lost} were moved; no errors")

    def visit_again(self, left):
        """Everybody of step 2 returns; who was on `left` must still have the
        session there. Returns how many had to move."""
        moved = 0
        for done, (visitor, server) in enumerate(self.crowd.items(), 1):
            visits = 3 if server == left else 1
            self.stays(visitor, left, visits, f"a visitor who was on {server}")
            self.crowd[visitor] = left
            moved += server != left
            self.screen.progress(done, len(self.crowd))
        return moved

    def server_returns(self):
        back = other_than(self.home)
        self.servers[back].start()
        begun = time.monotonic()
        tries, answer = 0, None
        while answer is None or answer.server != back:
            waited = time.monotonic() - begun
            expect(waited < BACK_SECONDS, f"new visitors after {back} is back",
                   f"one of them on {back} within {BACK_SECONDS} s",
                   f"{tries} new visitors, all on {self.home}")
            self.screen.busy(f"{tries} new visitors in {waited:.1f} s")
            answer = self.page(self.new_visitor(), "a new visitor")
            tries += 1
            time.sleep(0.1)
        yield (f"{back} is back and got a new visitor after "
               f"{time.monotonic() - begun:.1f} s")
        self.stays(self.first, self.home, 6, "the visitor who was moved")
        yield f"the visitor who was moved stays on {self.home}"

    def account(self):
        sent = sum(visitor.sent for visitor in self.visitors)
        now = self.decisions()
        decided = {what: now[what] - self.before[what] for what in now}
        total = decided.pop("requests")
        # Somebody may look at the site in a browser while this runs.
        expect(total >= sent, "requests of the pool",
               f"the {sent} that were sent", total)
        expect(sum(decided.values()) == total, "all decisions together",
               f"{total}, one for each request", decided)
        expect(decided["moved"] >= 1 and decided["refused"] == 0,
               "sessions moved and requests refused",
               "some moved, none refused", decided)
        yield (f"{total} requests: "
               + ", ".join(f"{decided[what]} {what}" for what in
                           ("new", "kept", "moved", "refused")))

    def decisions(self):
        """What /lb-status/json has counted so far, over all reasons; counters
        live on from one run to the next."""
        answer = Visitor(self.place.site_url, "127.0.0.1").get(
            "/lb-status/json")
        expect(answer.status == 200, "/lb-status/json", "status 200",
               answer.brief)
        pool, = json.loads(answer.text)["pools"]
        return {"requests": pool["requests"],
                **{what: sum(count.values()) if isinstance(count, dict)
                   else count for what, count in pool["decisions"].items()}}
