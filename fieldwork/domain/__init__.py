"""The streams and their decisions: pure, no clock, no I/O."""
