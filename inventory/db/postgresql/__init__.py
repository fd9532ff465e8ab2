"""Django's PostgreSQL backend with less overhead for each request."""
