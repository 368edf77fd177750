"""Mappings of known service logs for `fieldloop import history`."""
