# SPDX-License-Identifier: Apache-2.0
"""manage.py register: this server is a member of a pool while this runs.

    manage.py register --pool app --port 8000 --token-file FILE \\
        https://www.example.com/lb-status/register

Calls three times in a lease. Told to end (SIGTERM, SIGINT) it says that the
server leaves; with --drain it ends when no visitor is left there.
"""
import json
import signal
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Announce this server to the balancer, until told to end."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("url", nargs="+",
                            help="/lb-status/register of each balancer")
        parser.add_argument("--pool", required=True)
        parser.add_argument("--port", type=int, required=True)
        parser.add_argument("--token-file", required=True)
        parser.add_argument("--lease", type=int, default=60, help="seconds")
        parser.add_argument("--weight", help="0 to 100")
        parser.add_argument("--drain", action="store_true",
                            help="end only when no visitor is left")

    def handle(self, *args, **options):
        if options["lease"] < 1:
            raise CommandError("--lease: a second at least")
        end = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: end.set())
        state = None
        while not end.is_set():
            now = [self.call(url, options) for url in options["url"]]
            seen = [m and m["state"] for m in now]
            if seen != state:
                self.stdout.write(f"registered: {seen}")
                self.stdout.flush()
            state = seen
            end.wait(options["lease"] / 3 if all(now) else 1)
        while self.leave(options) and options["drain"]:
            threading.Event().wait(1)

    def leave(self, options):
        """How many visitors are left; 0 where a balancer does not say."""
        left = [self.call(url, options, leave=1) for url in options["url"]]
        return sum(m["drain"]["sessions_left"] for m in left
                   if m and m.get("drain"))

    def call(self, url, options, **more):
        """The member as the balancer has it; None: it was not done."""
        fields = {"pool": options["pool"], "port": options["port"],
                  "lease": f"{options['lease']}s", **more}
        if options["weight"] is not None:
            fields["weight"] = options["weight"]
        # Read each time: a token may be changed while this runs.
        try:
            lines = Path(options["token_file"]).read_text().split("\n")
            token = next(w[0] for w in map(str.split, lines)
                         if w and not w[0].startswith("#"))
            asked = urllib.request.Request(
                url, urllib.parse.urlencode(fields).encode(),
                {"Authorization": f"Bearer {token}"})
            with urllib.request.urlopen(asked, timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            # 404 of one that leaves: it has left.
            if error.code != 404 or not more:
                self.stderr.write(f"{url}: {error.code} "
                                  f"{error.read(500).decode(errors='replace')}")
        except (OSError, StopIteration, ValueError) as error:
            self.stderr.write(f"{url}: {error!r}")
        return None
