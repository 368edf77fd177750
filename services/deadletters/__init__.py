"""What no service could act on, for those who see to it: shown by cause, tried again, or discarded with a reason."""
