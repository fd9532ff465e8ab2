"""The backend for SQLite: Django's, whose migrations keep triggers."""
