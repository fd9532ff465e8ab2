"""Logins through an OpenID Connect provider. Nothing here is loaded unless `settings.OIDC` names one."""
