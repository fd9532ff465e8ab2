"""Django's PostgreSQL backend, with less work for each request."""
