"""Copies of the stores, and the stores put back from them, from each other, or from the journals' topics."""
