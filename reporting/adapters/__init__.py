"""How figures leave the house as files."""
