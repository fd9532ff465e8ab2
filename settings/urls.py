"""The URL patterns of the site."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from inventory.rest.routers import api_urls

urlpatterns = [
    re_path(r"^api(?:/v(?P<version>\d[^/]*))?(?:/|$)", include(api_urls())),
    path("", RedirectView.as_view(url=settings.LOGIN_REDIRECT_URL)),
    path("admin/", admin.site.urls),
    path("", include("rest_framework.urls")),
]

if settings.OIDC:
    urlpatterns = [
        path("oidc/", include("inventory.oidc.urls")),
        path("login/", LoginView.as_view(template_name="oidc/api_login.html")),  # before DRF's
        *urlpatterns,
    ]

handler400 = "inventory.rest.errors.bad_request"
handler403 = "inventory.rest.errors.permission_denied"
handler404 = "inventory.rest.errors.page_not_found"
handler500 = "inventory.rest.errors.server_error"
