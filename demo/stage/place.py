# SPDX-License-Identifier: Apache-2.0
"""Where everything of one run is: paths, addresses, ports."""
import contextlib
import errno
import fcntl
import json
import os
import socket
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
MODULES = Path("/usr/lib/apache2/modules")
FRONT = "127.0.0.1"
MEMBERS = {"web1": "127.0.0.11", "web2": "127.0.0.12"}


class Trouble(Exception):
    """Something the person at the terminal has to know; the text says it."""


def short(path):
    """A path as one would type it: relative to the checkout if inside."""
    path = Path(path)
    return str(path.relative_to(TOP) if TOP in path.parents else path)


def port_from(environ, name, default):
    """Read a port number from the environment."""
    text = environ.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise Trouble(f"{name}={text}: a port is a number from 1 to 65535, "
                      f"for example {name}={default}")
    return int(text)


class Place:
    """One run directory and the ports that belong to it."""

    def __init__(self, run, port, web_port, conf):
        self.run = Path(run)
        self.port = port
        self.web_port = web_port
        self.conf = Path(conf)
        self.note = self.run / "demo.json"

    @classmethod
    def of_environment(cls, environ=os.environ):
        """The place that PORT, WEB_PORT, RUN_DIR and CONF describe."""
        return cls(Path(environ.get("RUN_DIR") or TOP / "run").absolute(),
                   port_from(environ, "PORT", 8080),
                   port_from(environ, "WEB_PORT", 8000),
                   Path(environ.get("CONF")
                        or TOP / "demo" / "httpd.conf.in").absolute())

    @classmethod
    def of_running(cls, environ=os.environ):
        """The place of the demo that is running now, for other programs."""
        run = Path(environ.get("RUN_DIR") or TOP / "run").absolute()
        try:
            ports = json.loads((run / "demo.json").read_text())
        except FileNotFoundError:
            raise Trouble("the demo is not running here; "
                          "start it with `make run`") from None
        return cls(run, ports["port"], ports["web_port"], ports["conf"])

    def publish(self):
        """Let demo/server find this run."""
        self.note.write_text(json.dumps({"port": self.port,
                                         "web_port": self.web_port,
                                         "conf": str(self.conf)}) + "\n")

    def withdraw(self):
        """The run is over."""
        self.note.unlink(missing_ok=True)

    @property
    def site_url(self):
        return f"http://{FRONT}:{self.port}"

    @property
    def database(self):
        return self.run / "demo.sqlite3"

    def log(self, name):
        return self.run / f"{name}.log"

    @contextlib.contextmanager
    def held(self):
        """Be the only demo in this directory for as long as this lasts."""
        self.run.mkdir(parents=True, exist_ok=True)
        with open(self.run / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Trouble(
                    f"the demo is already running in {short(self.run)}/; "
                    "stop it there with Ctrl-C, or start a second one with\n"
                    "    make run PORT=8090 WEB_PORT=8100 RUN_DIR=run/second"
                ) from None
            yield

    def check_ports(self):
        """Refuse to start on a port that somebody else uses."""
        wanted = [("PORT", FRONT, self.port, "httpd")]
        wanted += [("WEB_PORT", address, self.web_port, name)
                   for name, address in MEMBERS.items()]
        for variable, address, port, name in wanted:
            why = bind_error(address, port)
            if why:
                raise Trouble(
                    f"{name} cannot listen on {address} port {port}: {why}. "
                    "Choose another port:\n"
                    f"    make run {variable}={free_port(variable, port)}")


def bind_error(address, port):
    """Why nobody can listen there now; None if one can."""
    with socket.socket() as probe:
        # As httpd and gunicorn do, so that old connections do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "the port is taken"
            return error.strerror
    return None


def free_port(variable, taken):
    """A port above the taken one that would do; a guess if there is none."""
    hosts = [FRONT] if variable == "PORT" else list(MEMBERS.values())
    first = max(taken, 1080) + 10
    for port in range(first, min(first + 500, 65536), 10):
        if not any(bind_error(host, port) for host in hosts):
            return port
    return first
