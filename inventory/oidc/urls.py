"""The addresses of the login through the provider, and the login page of the browsable API with a way to it."""

from __future__ import annotations

from django.urls import path

from inventory.oidc import views

app_name = "oidc"
urlpatterns = [
    path("login/", views.login, name="login"),
    path("callback/", views.callback, name="callback"),
]
