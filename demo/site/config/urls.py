# SPDX-License-Identifier: Apache-2.0
"""Every address of the demo site."""
from django.conf import settings
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.views.static import serve

from pages import moved, views

urlpatterns = [
    path("", views.home, name="home"),
    path("whoami", views.whoami, name="whoami"),
    path("notes/", views.notes, name="notes"),
    path("upload/", views.upload, name="upload"),
    path("login/", LoginView.as_view(template_name="pages/login.html"),
         name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("moved/<str:asked>", moved.give, name="moved"),
    path("healthz", views.healthz, name="healthz"),
    path("static/<path:path>", serve,
         {"document_root": settings.STATIC_DIR}),
]
