"""Intake: takes what customers ask for, checks it, and follows it to its end."""
