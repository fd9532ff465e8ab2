"""What Django does not do with a database: lookups, statements that are compiled once, bulk writes, row counts.

It knows no model. What rests on Django's private parts is in here and nowhere else.
"""
