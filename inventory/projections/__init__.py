"""The read models: each a fold with a name and a version."""
