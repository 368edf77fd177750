"""The library every service is built on."""
