"""What happens to a request before and after its view: authentication, negotiation, rendering and so on."""
