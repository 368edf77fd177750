"""Reporting: takes in every public event, shows the figures that improve the next request, and feeds others."""
