"""The whole service as one command: `manage.py standalone` checks, starts and restarts its parts."""
