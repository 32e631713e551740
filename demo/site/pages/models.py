# SPDX-License-Identifier: Apache-2.0
"""The site's content, in the database that all servers share."""
from django.db import models


class Note(models.Model):
    """One entry of the guestbook."""
    author = models.CharField(max_length=150)
    text = models.CharField(max_length=280)
    server = models.CharField(max_length=64)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self):
        return f"{self.author}: {self.text}"
