"""The log, or a part of it, run through the folds again into a shadow copy, and compared with what lives."""
