"""What rules let through, as sets of integers: addresses, services, and flows of both. It knows no Django."""
