#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Django's command line for the demo site."""
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
execute_from_command_line(sys.argv)
