"""Who is asking."""

from __future__ import annotations

from rest_framework import authentication
from rest_framework.request import Request


class BasicAuthentication(authentication.BasicAuthentication):
    """HTTP Basic without its challenge, which would make browsers ask for a password over the login page."""

    def authenticate_header(self, request: Request) -> str:
        return 'X-Auth-Token realm="Portcullis"'
