"""How the services hear of each other: one port, two buses, and the channels as the outside sees them."""
