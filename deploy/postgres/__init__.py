"""A local PostgreSQL for development and tests."""
