"""What is under and around the six services: chassis, gateway, host, command line."""
