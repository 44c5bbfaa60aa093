"""Image files: encoding, decoding, and opening those of strangers."""
