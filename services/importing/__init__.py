"""The import of another system's history: its service log becomes events at the time they happened."""
