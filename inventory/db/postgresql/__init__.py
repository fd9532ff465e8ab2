"""Django's database backend for PostgreSQL, with less work for each request and each time."""
