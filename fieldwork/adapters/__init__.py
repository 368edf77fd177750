"""The outside world of fieldwork, each part of it behind a small Protocol."""
