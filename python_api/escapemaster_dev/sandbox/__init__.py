"""Local stand-ins for outside providers. Nothing here runs in production."""
