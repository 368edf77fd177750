"""What the dispatcher decides, pure: no clock, no ids, no I/O."""
