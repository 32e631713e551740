# SPDX-License-Identifier: Apache-2.0
"""Build the machines, let parts die, and tell what visitors saw."""
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from . import net
from .machines import ADDRESS, HOSTS, Store, Web
from .net import NETWORK, Machine, Trouble, until

EACH = 4    # visitors of each source


class Visitors:
    """What the visitors see, as it comes in."""

    def __init__(self, machine):
        env = {"PYTHONPATH": os.environ["PYTHONPATH"]}
        words = []
        for source, host in HOSTS.items():
            for _ in range(EACH):
                own = f"{NETWORK}.{101 + len(words)}"
                net.ip("-n", machine.space, "addr", "add", f"{own}/24", "dev",
                       "eth0")
                words.append(f"{source},{host},{own}")
        self.count = len(words)
        self.program = machine.start(
            "visitors", sys.executable, "-B", "-m", "cluster.visitor",
            ADDRESS, *words, env=env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        self.seen = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.program.popen.stdout:
            self.seen.append(json.loads(line))

    def since(self, mark):
        return self.seen[mark:]

    def all_answered(self, mark):
        return len({line["who"] for line in self.since(mark + self.count)
                    if "server" in line}) == self.count

    def calm(self, seconds):
        """Let each visitor ask for a while."""
        time.sleep(seconds)
        return len(self.seen)

    def places(self):
        """Who is served where at the moment."""
        return {line["who"]: line["server"] for line in self.seen
                if "server" in line}


def judge(lines, was, gone):
    """What one visitor saw during one event: moved or not, and all right.

    A visitor whose server is gone goes to the other one and stays there; all
    others stay. Nobody loses a session: the count of visits goes on. (A
    request that was lost on its way back counted, and was asked again.)
    """
    good = [line for line in lines if "server" in line]
    places = [was] + [line["server"] for line in good]
    moves = sum(a != b for a, b in zip(places, places[1:]))
    visits = [line["visits"] for line in good]
    kept = bool(visits) and all(a < b for a, b in zip(visits, visits[1:]))
    return moves, kept, kept and moves <= (1 if was in gone else 0)


def summary(lines, before, gone, may_fail):
    """One line of the table, for all visitors of a source."""
    moved = lost = 0
    right = True
    for who in {line["who"] for line in lines}:
        moves, kept, fine = judge([line for line in lines
                                   if line["who"] == who], before[who], gone)
        moved += moves > 0
        lost += not kept
        right = right and fine
    errors = sum("error" in line for line in lines)
    return {"requests": len(lines), "errors": errors,
            "asked twice": sum(line["lost"] for line in lines),
            "longest": f"{max(line['took'] for line in lines):.1f} s",
            "moved": f"{moved} of {EACH}",
            "sessions": f"{lost} LOST" if lost else "kept",
            "ok": right and (may_fail or errors == 0)}


class Proof:
    """The events, in order, and the table of what they did."""

    def __init__(self, webs, store, visitors):
        self.webs, self.store, self.visitors = webs, store, visitors
        self.rows = []

    def active(self):
        holders = [web for web in self.webs if web.is_active()]
        return holders[0] if len(holders) == 1 else None

    def other(self, web):
        return self.webs[1 - self.webs.index(web)]

    def event(self, name, what, gone=(), may_fail=False):
        """Let something happen while the visitors ask on.

        gone: names of servers whose visitors may be served by the other.
        """
        print(f"  {name} ...", flush=True)
        mark = self.visitors.calm(1)
        before = self.visitors.places()
        what()
        self.visitors.calm(3)
        until("every visitor has an answer again",
              lambda: self.visitors.all_answered(mark), 40)
        lines = self.visitors.since(mark)
        for source in HOSTS:
            row = summary([line for line in lines
                           if line["source"] == source],
                          before, gone, may_fail)
            self.rows.append({"event": name, "source": source, **row})

    def run(self):
        until("one machine has the address", lambda: self.active())
        passive = self.other(self.active())
        self.event(f"{passive.site_name} dies", passive.programs["httpd"].kill,
                   gone=[passive.site_name])
        passive.start_httpd()
        active = self.active()
        self.event(f"{active.name}, the active balancer, dies",
                   lambda: self.lose(active), gone=[active.site_name])
        active.plug("up")
        active.start_httpd()
        active.start_keepalived()
        self.event("Redis dies", self.store.programs["redis"].kill)
        self.event("Redis returns", self.store.start_redis)
        self.event("MariaDB restarts", self.restart_database, may_fail=True)
        for web in (self.other(self.active()), self.active()):
            self.event(f"{web.name} is rolled", web.roll,
                       gone=[web.site_name])

    def lose(self, web):
        web.plug("down")
        web.kill()
        until("the other machine has the address",
              self.other(web).is_active)

    def restart_database(self):
        self.store.programs["mariadb"].stop(seconds=30)
        self.store.start_database()

    def table(self):
        """Print it. @return whether all is as it should be"""
        columns = [name for name in self.rows[0] if name != "ok"]
        cells = [columns] + [[str(row[name]) for name in columns]
                             for row in self.rows]
        widths = [max(len(line[i]) for line in cells)
                  for i in range(len(columns))]
        print()
        for line, row in zip(cells, [None, *self.rows]):
            mark = "" if row is None else "ok" if row["ok"] else "NOT OK"
            print("  ".join(cell.ljust(width) for cell, width
                            in zip(line, widths)) + "  " + mark)
        return all(row["ok"] for row in self.rows)


def make_certificate(run):
    """One for both, as two machines with one name have."""
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2",
         "-pkeyopt", "ec_paramgen_curve:P-256", "-batch",
         "-subj", f"/CN={HOSTS['https']}", "-keyout", str(run / "key.pem"),
         "-out", str(run / "cert.pem")],
        capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Trouble(f"openssl: {done.stderr[-500:]}")


def build(run, machines):
    """Make all machines and start what runs on them."""
    (run / "secret").write_text(secrets.token_urlsafe(32) + "\n")
    (run / "secret").chmod(0o600)
    make_certificate(run)
    net.make_switch()
    store = Store("db", 5, run)
    webs = [Web("lb1", 11, run, "web1", 100), Web("lb2", 12, run, "web2", 90)]
    user = Machine("user", 100, run)
    for machine in (store, *webs, user):
        machines.append(machine)
        machine.make()
    print("  MariaDB and Redis ...", flush=True)
    store.make_database()
    store.start_database()
    store.start_redis()
    print("  the site on both machines ...", flush=True)
    webs[0].manage("setup_site")
    for web in webs:
        web.start_httpd()
        web.start_keepalived()
    return store, webs, user


def prove(run, machines):
    print("Building two machines, each balancer and web server:", flush=True)
    store, webs, user = build(run, machines)
    until("one machine has the address",
          lambda: sum(web.is_active() for web in webs) == 1)
    visitors = Visitors(user)
    until("every visitor has an answer", lambda: visitors.all_answered(0))
    print(f"What {visitors.count} visitors see while", flush=True)
    proof = Proof(webs, store, visitors)
    proof.run()
    return proof.table()


def wait_for_end(run):
    print(f"\nUp: http://{ADDRESS}/ in the namespace {net.PREFIX}-user, with "
          f"Host: {', '.join(HOSTS.values())}\nLogs: {run}\nCtrl-C ends it.",
          flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass


def main():
    run = Path(tempfile.mkdtemp(prefix="lbsticky-cluster-"))
    run.chmod(0o755)
    machines = []
    status = 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        status = 0 if prove(run, machines) else 1
        print("\nAll is as it should be." if status == 0 else
              f"\nNot all is as it should be; logs: {run}", flush=True)
        if not os.environ.get("ONCE"):
            wait_for_end(run)
    except KeyboardInterrupt:
        status = 130
    except (Trouble, OSError, subprocess.SubprocessError) as trouble:
        print(f"cluster: {trouble}; logs: {run}", file=sys.stderr)
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for machine in reversed(machines):
            machine.remove()
        net.remove_switch()
    if status == 0:
        shutil.rmtree(run, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
