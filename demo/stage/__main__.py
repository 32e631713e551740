# SPDX-License-Identifier: Apache-2.0
"""The main job: get ready, start, prove, stay up, and leave nothing behind."""
import os
import shutil
import subprocess
import sys
import time

from . import stops
from .place import MEMBERS, TOP, Place, Trouble, short
from .process import (GUNICORN, HTTPD, Gunicorn, Httpd, set_up_database)
from .proof import Failed, Proof
from .screen import Screen
from .visitor import NoAnswer

PASSWORD = "demo"
BUILD_SECONDS = 600


class Stage:
    """Everything that runs, in the order in which it starts."""

    def __init__(self, place, screen):
        self.place = place
        self.screen = screen
        self.servers = {name: Gunicorn(place, name) for name in MEMBERS}
        self.httpd = Httpd(place)
        self.all = [*self.servers.values(), self.httpd]

    def get_ready(self):
        for tool in (GUNICORN, HTTPD):
            if not shutil.which(tool):
                raise Trouble(f"{tool} is missing; run tools/bootstrap run")
        self.clear_leftovers()
        self.place.check_ports()
        for name in ("access", "error", *MEMBERS):
            self.place.log(name).unlink(missing_ok=True)
        self.build()
        self.httpd.configure()
        self.screen.ok(f"configuration {short(self.httpd.conf)}")
        set_up_database(self.place, PASSWORD)
        self.screen.ok(f"database {short(self.place.database)}, with a user "
                       f"demo, password {PASSWORD}")

    def clear_leftovers(self):
        """End what a run that was killed could not end itself."""
        for process in self.all:
            pid = process.pid()
            if pid:
                process.stop()
                self.screen.ok(f"{process.name} of an earlier run ended "
                               f"(pid {pid})")

    def build(self):
        log = self.place.log("build")
        self.screen.busy("building the module (make all)")
        with open(log, "wb") as out:
            done = subprocess.run(["make", "-C", str(TOP), "all"], stdout=out,
                                  stderr=out, timeout=BUILD_SECONDS)
        if done.returncode != 0:
            tail = log.read_text(errors="replace").splitlines()[-15:]
            raise Trouble("the module does not build; "
                          f"{short(log)} ends with:\n" + "\n".join(tail))
        self.screen.ok("module build/mod_lbsticky.so")

    def start(self):
        for process in self.all:
            self.screen.busy(f"{process.name} starts")
            seconds = process.start()
            self.screen.ok(f"{process.name:5}  {process.url}  "
                           f"({seconds:.1f} s)")
        self.place.publish()

    def stop(self):
        """Stop all, last first. Never raises: it also runs after failures."""
        self.place.withdraw()
        for process in reversed(self.all):
            try:
                process.stop()
            except (OSError, Trouble) as error:
                self.screen.fail(f"{process.name} cannot be stopped: {error}")

    def stay(self):
        """Until somebody ends it, or httpd ends by itself."""
        screen, url = self.screen, self.place.site_url
        screen.line()
        screen.title(f"The site       {url}/")
        screen.title(f"The balancer   {url}/lb-status")
        screen.hint(
            "Try: demo/server kill web1, reload, demo/server start web1.\n"
            f"Logs: {short(self.place.run)}/access.log, error.log, web1.log, "
            "web2.log.\nCtrl-C stops everything.")
        while self.httpd.pid():
            time.sleep(0.5)
        raise Trouble("httpd ended" + self.httpd.last_words())


def perform(stage, once):
    """The whole job between start and stop; returns the exit status."""
    screen, staying = stage.screen, False
    try:
        screen.title("Getting ready")
        stage.get_ready()
        stage.start()
        screen.line()
        Proof(stage.place, screen, stage.servers, PASSWORD).run()
        screen.line()
        screen.title("Every step holds.")
        if not once:
            staying = True
            stage.stay()
    except (Failed, NoAnswer) as failure:
        screen.fail(str(failure))
        screen.fail("the proof ends here; see "
                    + ", ".join(short(process.log) for process in stage.all))
        return 1
    except stops.Stopped as stopped:
        screen.line()
        screen.line(f"Stopping ({stopped}).")
        return 0 if staying else 128 + stopped.signum
    return 0


def main():
    screen = Screen()
    stops.listen()
    try:
        place = Place.of_environment()
        with place.held():
            stage = Stage(place, screen)
            try:
                return perform(stage, os.environ.get("ONCE", "0") != "0")
            finally:
                stops.ignore()
                stage.stop()
    except Trouble as trouble:
        screen.fail(str(trouble))
        return 1
    except stops.Stopped as stopped:
        return 128 + stopped.signum


sys.exit(main())
