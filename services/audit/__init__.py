"""What happened to something, in order, and what was known of it at any instant."""
