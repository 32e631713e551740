# SPDX-License-Identifier: Apache-2.0
"""The pages of the demo site."""
import datetime
import hashlib
import time

from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .forms import NoteForm, UploadForm
from .models import Note

SHOWN_NOTES = 20


def count_visit(request):
    """Add one to this session's counter and return it."""
    session = request.session
    session["visits"] = session.get("visits", 0) + 1
    session.setdefault("since", time.time())
    return session["visits"]


@never_cache
@require_safe
def home(request):
    """Who answered, and what this server remembers about the visitor."""
    visits = count_visit(request)
    since = datetime.datetime.fromtimestamp(request.session["since"],
                                            datetime.timezone.utc)
    return render(request, "pages/home.html",
                  {"visits": visits, "since": since})


@never_cache
@require_safe
def whoami(request):
    """The same as the home page for programs: JSON."""
    return JsonResponse({
        "server": settings.SITE_NAME,
        "visits": count_visit(request),
        "user": request.user.get_username(),
        "secure": request.is_secure(),
        "host": request.get_host(),
    })


@never_cache
def notes(request):
    """The guestbook: read it, or add to it with a form guarded by CSRF."""
    form = NoteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        note = form.save(commit=False)
        note.author = request.user.get_username() or "guest"
        note.server = settings.SITE_NAME
        note.save()
        messages.success(request, "Your note is saved.")
        return redirect("notes")
    return render(request, "pages/notes.html",
                  {"form": form, "notes": Note.objects.all()[:SHOWN_NOTES]})


@never_cache
def upload(request):
    """Take a file and show what arrived; nothing is kept."""
    form = UploadForm(request.POST or None, request.FILES or None)
    result = None
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        digest = hashlib.sha256()
        for chunk in file.chunks():
            digest.update(chunk)
        result = {"name": file.name, "size": file.size,
                  "sha256": digest.hexdigest()}
    return render(request, "pages/upload.html",
                  {"form": form, "result": result})


@never_cache
@require_safe
def healthz(_request):
    """200 when this server can do its work: it runs and has its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")
