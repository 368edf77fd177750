"""Pictures that people send: taken at the edge, made safe, and kept sealed. `taken.py` is what a service imports."""
