"""Proof that a journal is what it was: hashes and signed checkpoints that are kept outside its database."""
