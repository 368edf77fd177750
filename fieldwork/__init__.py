"""Fieldwork: what happens on site, from the plan of a visit to the customer's signature."""
