"""Readers of a journal by position: the projector folds events into rows, the reactor turns them into commands."""
