"""Actions: reading them from requests and running them."""
