# SPDX-License-Identifier: Apache-2.0
"""What runs on the machines: httpd with the site, keepalived, the stores."""
import os
import signal
import subprocess
from pathlib import Path

from .net import NETWORK, Machine, Trouble, until

TOP = Path(__file__).resolve().parents[2]
SITE = TOP / "demo" / "site"
MODULES = "/usr/lib/apache2/modules"
EXAMPLE = TOP / "conf" / "examples" / "ha-pair"
ADDRESS = f"{NETWORK}.10"
HOSTS = {"cookie": "cookie.example.com",
         "session=sessionid": "session.example.com", "ip": "ip.example.com",
         "https": "https.example.com"}
CHECKED = f"https://{HOSTS['https']}/login/"


class Store(Machine):
    """MariaDB and Redis for both."""

    def start_redis(self):
        # Debian's redis-server is this program under another name.
        self.start("redis", "bash", "-c", "exec -a redis-server "
                   "redis-check-rdb --bind 0.0.0.0 --protected-mode no "
                   f"--save '' --dir {self.run}")
        until("Redis answers", lambda: "PONG" in self.call(
            "redis-cli", "-h", self.address, "ping").stdout)

    def make_database(self):
        data = self.run / "data"
        done = subprocess.run(
            ["mariadb-install-db", "--no-defaults", "--user=root",
             f"--datadir={data}", "--skip-test-db",
             "--auth-root-authentication-method=normal"],
            capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise Trouble(f"mariadb-install-db: {done.stderr[-500:]}")
        (self.run / "init.sql").write_text(
            "CREATE DATABASE IF NOT EXISTS site CHARACTER SET utf8mb4;\n"
            "CREATE USER IF NOT EXISTS site@'%' IDENTIFIED BY 'site';\n"
            "GRANT ALL ON site.* TO site@'%';\n")

    def start_database(self):
        self.start("mariadb", "/usr/sbin/mariadbd", "--no-defaults",
                   "--user=root", f"--datadir={self.run}/data",
                   f"--socket={self.run}/sock", "--bind-address=0.0.0.0",
                   "--skip-name-resolve", "--innodb-buffer-pool-size=32M",
                   f"--pid-file={self.run}/pid",
                   f"--init-file={self.run}/init.sql")
        until("MariaDB answers", lambda: self.call(
            "mariadb", "--no-defaults", "-h", self.address, "-usite",
            "-psite", "site", "-e", "SELECT 1").returncode == 0, 60)


class Web(Machine):
    """Balancer and web server, and a claim to the address."""

    def __init__(self, name, number, run_dir, site_name, priority):
        super().__init__(name, number, run_dir)
        self.site_name = site_name
        self.priority = priority

    def environment(self):
        return {"SITE_RUN": str(self.run), "SITE": str(SITE),
                "MODULES": MODULES, "SITE_NAME": self.site_name,
                "LBSTICKY": str(TOP / "build" / "mod_lbsticky.so"),
                "SITE_SECRET_FILE": str(self.run.parent / "secret"),
                "SITE_SECRET_KEY": "not for a real site",
                "SITE_DB_HOST": f"{NETWORK}.5",
                "SITE_ALLOWED_HOSTS": ".example.com",
                "DJANGO_SETTINGS_MODULE": "config.cluster"}

    def manage(self, *words):
        done = self.call("/usr/bin/python3", "-B", str(SITE / "manage.py"),
                         *words, env={**os.environ, **self.environment()})
        if done.returncode != 0:
            raise Trouble(f"manage.py {' '.join(words)}: "
                          f"{done.stderr[-800:]}")

    def answers(self):
        return self.call(str(EXAMPLE / "check-site"),
                         CHECKED).returncode == 0

    def start_httpd(self):
        self.start("httpd", "/usr/sbin/apache2", "-DFOREGROUND", "-f",
                   str(TOP / "demo" / "cluster" / "httpd.conf"),
                   env=self.environment())
        until(f"{self.name} serves the site", self.answers)

    def start_keepalived(self):
        """With the example's files, and this network's names in them."""
        script = self.run / "check-site"
        script.write_text((EXAMPLE / "check-site").read_text())
        script.chmod(0o755)
        text = (EXAMPLE / "keepalived.conf").read_text()
        for old, new in (("10.0.0.10", ADDRESS),
                         ("/etc/keepalived/check-site", str(script)),
                         ("https://www.example.com/login/", CHECKED),
                         ("priority          100",
                          f"priority          {self.priority}")):
            if old not in text:
                raise Trouble(f"keepalived.conf says no {old}")
            text = text.replace(old, new)
        (self.run / "keepalived.conf").write_text(text)
        before = self.checked()
        self.start("keepalived", "keepalived", "--dont-fork", "--log-console",
                   "--vrrp", "--use-file", str(self.run / "keepalived.conf"),
                   "--pid", str(self.run / "keepalived.pid"),
                   "--vrrp_pid", str(self.run / "vrrp.pid"))
        until(f"keepalived of {self.name} has seen the site",
              lambda: self.checked() > before)

    def checked(self):
        """How often keepalived found that this machine serves the site."""
        log = self.run / "keepalived.log"
        return log.read_text().count("Script(site) succeeded") \
            if log.exists() else 0

    def is_active(self):
        return self.has(ADDRESS)

    def roll(self):
        """A new version of the site: give the address away, restart."""
        self.programs["keepalived"].stop()
        self.programs["httpd"].stop(signal.SIGWINCH)
        self.start_httpd()
        self.start_keepalived()
