"""What groups and rules mean: effective rules, and what follows from them."""
