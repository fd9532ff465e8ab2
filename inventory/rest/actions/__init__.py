"""What a request asks to be done, and doing it."""
