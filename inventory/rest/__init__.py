"""The dialect of the API, spoken by both apps: what a viewset declares is read, linked and acted on here."""
