"""Inventory: what lies where, what is set aside for an order, and what went into a device."""
