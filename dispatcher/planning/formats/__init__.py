"""Published instances: each file reads one format and says in which objective it is judged."""
