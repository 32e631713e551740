# SPDX-License-Identifier: Apache-2.0
"""Machines: network namespaces on a switch that is a namespace, too."""
import os
import signal
import subprocess
import time

PREFIX = f"lbs{os.getpid()}"
SWITCH = f"{PREFIX}-switch"
NETWORK = "10.99.0"


class Trouble(Exception):
    """Something that ends the demonstration, in a sentence."""


def ip(*words):
    """Run ip(8); its complaint is the trouble."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True,
                          timeout=10)
    if done.returncode != 0:
        raise Trouble(f"ip {' '.join(words)}: {done.stderr.strip()}")


class Program:
    """A running program of ours, known by its process alone."""

    def __init__(self, name, popen):
        self.name = name
        self.popen = popen

    def runs(self):
        return self.popen.poll() is None

    def send(self, number):
        if self.runs():
            self.popen.send_signal(number)

    def stop(self, number=signal.SIGTERM, seconds=15):
        """End it; what does not end in time is killed."""
        self.send(number)
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait(5)

    def kill(self):
        """As the power goes: the program and all its children."""
        if self.runs():
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait(5)


class Machine:
    """One host on the network, with a directory for its files."""

    def __init__(self, name, number, run_dir):
        self.name = name
        self.space = f"{PREFIX}-{name}"
        self.address = f"{NETWORK}.{number}"
        self.port = f"p{number}"
        self.run = run_dir / name
        self.programs = {}

    def make(self):
        self.run.mkdir(parents=True)
        ip("netns", "add", self.space)
        ip("-n", SWITCH, "link", "add", self.port, "type", "veth", "peer",
           "name", "eth0", "netns", self.space)
        ip("-n", SWITCH, "link", "set", self.port, "master", "br0", "up")
        ip("-n", self.space, "addr", "add", f"{self.address}/24", "dev",
           "eth0")
        ip("-n", self.space, "link", "set", "lo", "up")
        ip("-n", self.space, "link", "set", "eth0", "up")

    def plug(self, state):
        """Pull the cable, or put it back: "down" or "up"."""
        ip("-n", SWITCH, "link", "set", self.port, state)

    def start(self, name, *command, env=None, **options):
        log = open(self.run / f"{name}.log", "ab")
        popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "ip", "netns", "exec",
             self.space, *command],
            env={**os.environ, **(env or {})}, start_new_session=True,
            **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log,
               **options})
        log.close()
        self.programs[name] = Program(name, popen)
        return self.programs[name]

    def call(self, *command, **options):
        return subprocess.run(["ip", "netns", "exec", self.space, *command],
                              capture_output=True, text=True, timeout=60,
                              **options)

    def has(self, address):
        return f" {address}/" in self.call("ip", "-4", "addr").stdout

    def kill(self):
        for program in self.programs.values():
            program.kill()

    def remove(self):
        for program in reversed(self.programs.values()):
            program.stop(seconds=5)
        subprocess.run(["ip", "netns", "del", self.space],
                       capture_output=True, timeout=10, check=False)


def make_switch():
    ip("netns", "add", SWITCH)
    ip("-n", SWITCH, "link", "add", "br0", "type", "bridge")
    ip("-n", SWITCH, "link", "set", "br0", "up")


def remove_switch():
    subprocess.run(["ip", "netns", "del", SWITCH], capture_output=True,
                   timeout=10, check=False)


def until(what, test, seconds=20):
    """Wait for a test to be true; not for ever."""
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise Trouble(f"not within {seconds} s: {what}")
        time.sleep(0.1)
