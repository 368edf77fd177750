"""Quality: asks customers how it went, and keeps what they say."""
