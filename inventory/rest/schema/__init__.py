"""The API described as OpenAPI 3.1, from what the collections declare, and the page that shows it."""
