"""The dispatcher's read models."""
