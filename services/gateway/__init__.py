"""The edge: sign-in, person keys, and in the distributed mode the way to the services."""
