"""The whole service as one command: what `manage.py standalone` checks, starts and keeps running."""
