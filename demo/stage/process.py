# SPDX-License-Identifier: Apache-2.0
"""The programs on the stage: two gunicorns and one httpd.

Each is known by its pid file, leads a session of its own (so Ctrl-C reaches
demo/run alone, which then stops them in order), and is only ever signalled
after its command line has shown that the number still belongs to it.
"""
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from .place import FRONT, MEMBERS, MODULES, TOP, Trouble, short
from .stops import held_back

START_SECONDS = 20
STOP_SECONDS = 8
HTTPD = "/usr/sbin/apache2"
GUNICORN = "/usr/bin/gunicorn"
SITE = TOP / "demo" / "site"


class Process:
    """A program with a pid file, a log and a way to see that it answers."""

    def __init__(self, name, url, pid_file, log, mark):
        self.name = name
        self.url = url
        self.pid_file = pid_file
        self.log = log
        self.mark = str(mark)   # in the command line of this program alone
        self.child = None       # if this process started it

    def command(self):
        raise NotImplementedError

    def answers(self):
        raise NotImplementedError

    def environment(self):
        return None

    def pid(self):
        """The number of the running program; None if it does not run."""
        if self.child is not None and self.child.poll() is None:
            return self.child.pid
        try:
            pid = int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        return pid if self.is_this(pid) else None

    def is_this(self, pid):
        """Whether that number belongs to this program, and it still runs."""
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
        return self.mark.encode() in command    # a dead one has no words

    def start(self):
        """Start it and wait, for a bounded time, until it answers."""
        if self.pid():
            raise Trouble(f"{self.name} is running already, pid {self.pid()}")
        self.pid_file.unlink(missing_ok=True)
        with open(self.log, "ab") as log, held_back():
            self.child = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, env=self.environment())
        begun = time.monotonic()
        while not (self.pid_file.exists() and self.answers()):
            if self.child.poll() is not None:
                raise Trouble(f"{self.name} ended while starting, status "
                              f"{self.child.returncode}{self.last_words()}")
            if time.monotonic() - begun > START_SECONDS:
                raise Trouble(f"{self.name} does not answer at {self.url} "
                              f"after {START_SECONDS} s{self.last_words()}")
            time.sleep(0.05)
        return time.monotonic() - begun

    def stop(self):
        """Ask it to end; insist after STOP_SECONDS. Fine if it is gone."""
        pid = self.pid()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            if not self.gone_within(pid, STOP_SECONDS):
                self.kill_group(pid)
        self.pid_file.unlink(missing_ok=True)

    def kill(self):
        """End it at once with all its children, as a power cut would."""
        pid = self.pid()
        if pid:
            self.kill_group(pid)
        self.pid_file.unlink(missing_ok=True)

    def kill_group(self, pid):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        if not self.gone_within(pid, STOP_SECONDS):
            raise Trouble(f"{self.name}, pid {pid}, cannot be ended")

    def gone_within(self, pid, seconds):
        """Wait until it and its children have ended; False if they do not."""
        end = time.monotonic() + seconds
        while group_lives(pid):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def last_words(self, lines=8):
        """The end of the log, for a message about a failed start."""
        try:
            tail = self.log.read_text(errors="replace").splitlines()[-lines:]
        except OSError:
            tail = []
        return "".join(f"\n    {line}" for line in
                       [f"{short(self.log)} ends with:", *tail])


class Gunicorn(Process):
    """One of the two web servers: the Django site in one process."""

    def __init__(self, place, name):
        pid_file = place.run / f"{name}.pid"
        super().__init__(name, f"http://{MEMBERS[name]}:{place.web_port}",
                         pid_file, place.log(name), pid_file)
        self.place = place

    def command(self):
        # One worker: sessions live in its memory. Its title, which some
        # installations show instead of the command line, names the pid file.
        # Kept connections outlive those of httpd's pool in a quiet minute.
        return [GUNICORN, "--chdir", str(SITE), "--bind", self.url[7:],
                "--workers", "1", "--threads", "8", "--keep-alive", "75",
                "--graceful-timeout", "5", "--pid", str(self.pid_file),
                "--name", str(self.pid_file), "config.wsgi"]

    def environment(self):
        return site_environment(self.place, self.name)

    def answers(self):
        # The home page, not /healthz: it loads what visitors will need, so
        # that the first of them is not the one who waits for it.
        request = urllib.request.Request(self.url + "/",
                                         headers={"Host": "localhost"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=2) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False


def documents():
    """A DocumentRoot that httpd's children can look into: another user's, when
    root has the checkout in a home directory. Nothing is served from it."""
    public = TOP / "demo" / "site" / "public"
    if all(path.stat().st_mode & 0o001 for path in (public, *public.parents)):
        return public
    return "/usr/share/doc"


class Httpd(Process):
    """The balancer in front."""

    def __init__(self, place):
        self.conf = place.run / "httpd.conf"
        super().__init__("httpd", place.site_url, place.run / "httpd.pid",
                         place.log("error"), self.conf)
        self.place = place

    def command(self):
        return [HTTPD, "-d", str(self.place.run), "-f", str(self.conf),
                "-DFOREGROUND"]

    def configure(self):
        """Write httpd.conf from its template and let httpd check it."""
        text = self.place.conf.read_text()
        for word, value in (("TOP", TOP), ("RUN", self.place.run),
                            ("DOCUMENTS", documents()),
                            ("MODULES", MODULES), ("PORT", self.place.port),
                            ("WEB_PORT", self.place.web_port)):
            text = text.replace(f"@{word}@", str(value))
        self.conf.write_text(text)
        check = subprocess.run(self.command()[:-1] + ["-t"],
                               capture_output=True, text=True, timeout=30)
        if check.returncode != 0:
            raise Trouble(f"httpd refuses {short(self.conf)}:\n"
                          + check.stderr.strip())

    def answers(self):
        try:
            socket.create_connection((FRONT, self.place.port), 2).close()
        except OSError:
            return False
        return True


def group_lives(group):
    """Whether any process of this group still runs, or holds a connection."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # proc(5): pid (name) state ppid group ...; the name may hold
            # anything. A dead process whose threads are still ending keeps
            # its connections until the last of them is gone.
            words = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        state, owner, threads = words[0], int(words[2]), int(words[17])
        if owner == group and (state not in "ZX" or threads > 1):
            return True
    return False


def site_environment(place, name):
    """What the Django site reads from its environment (config/settings.py)."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1",
            "SITE_NAME": name, "SITE_DB": str(place.database),
            "SITE_SECRET_KEY": secret_key(place),
            "SITE_ALLOWED_HOSTS": "localhost,127.0.0.1,[::1],www.example.com",
            "SITE_PEERS": peers(place),
            "SITE_SSL_REDIRECT": "0"}


def peers(place):
    """Where the servers ask each other for sessions."""
    return ",".join(f"{name}=http://{address}:{place.web_port}"
                    for name, address in MEMBERS.items())


def secret_key(place):
    """The key that both servers share, made at the first start."""
    path = place.run / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()


def set_up_database(place, password):
    """Create the tables and the user that logs in."""
    done = subprocess.run(
        ["/usr/bin/python3", str(SITE / "manage.py"), "setup_site",
         "--password", password], env=site_environment(place, "setup"),
        capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Trouble("the site's database cannot be set up:\n"
                      + done.stderr.strip())
