"""The URL patterns of the site."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import PasswordChangeDoneView
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from inventory.passwords import LimitedPasswordChangeView
from inventory.rest.errors import API_ROUTE
from inventory.rest.routers import api_urls

urlpatterns = [
    re_path(API_ROUTE, include(api_urls())),
    path("", RedirectView.as_view(url=settings.LOGIN_REDIRECT_URL)),
    path("admin/", admin.site.urls),
    path(
        "password/",
        LimitedPasswordChangeView.as_view(
            template_name="rest/form_page.html",
            extra_context={"heading": "Change password"},
        ),
        name="password_change",
    ),
    path(
        "password/done/",
        PasswordChangeDoneView.as_view(
            template_name="rest/password_changed.html",
            extra_context={"heading": "Password changed", "next": settings.LOGIN_REDIRECT_URL},
        ),
        name="password_change_done",
    ),
    path("", include("rest_framework.urls")),
]

if settings.OIDC:
    urlpatterns.append(path("oidc/", include("inventory.oidc.urls")))

handler400 = "inventory.rest.errors.bad_request"
handler403 = "inventory.rest.errors.permission_denied"
handler404 = "inventory.rest.errors.page_not_found"
handler500 = "inventory.rest.errors.server_error"
