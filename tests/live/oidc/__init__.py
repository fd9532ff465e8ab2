"""An OpenID Connect provider on loopback, and browsers that log in there."""
