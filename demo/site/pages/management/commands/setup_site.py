# SPDX-License-Identifier: Apache-2.0
"""manage.py setup_site: tables, and a user to log in with."""
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Create or update the database, and one user. Safe to repeat."

    def add_arguments(self, parser):
        parser.add_argument("--user", default="demo")
        parser.add_argument("--password", default="demo")

    def handle(self, *args, **options):
        call_command("migrate", interactive=False, verbosity=0)
        user, _ = get_user_model().objects.get_or_create(
            username=options["user"])
        user.set_password(options["password"])
        user.save()
        self.stdout.write(f"database ready, user {user.get_username()}")
