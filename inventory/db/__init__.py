"""What Django lacks for databases: lookups, statements that are compiled once, bulk writes and row counts.

This package knows no model. Only code in it may use Django's private parts.
"""
