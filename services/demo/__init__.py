"""A small invented repair company, and a day of its customers, driven over HTTP as its users would."""
