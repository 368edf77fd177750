"""What looks for plans. It runs in a child process, and what it finds is believed only after `check`."""
