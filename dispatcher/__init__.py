"""Finds an engineer for every order and keeps her hours."""
