"""Checks of what is recorded, read-only: chains, positions, and the invariants of the business."""
