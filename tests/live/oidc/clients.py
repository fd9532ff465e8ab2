"""What the provider and its clients agreed on."""

CLIENT_ID, CLIENT_SECRET = "portcullis", "client-s3cret-of-more-than-32-characters"
#: Of every user.
PASSWORD = "user-s3cret"
