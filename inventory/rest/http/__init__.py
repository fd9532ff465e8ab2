"""What each request goes through before and after its view: who it is from, what it may be, how it is answered."""
