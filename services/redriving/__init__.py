"""The command `fieldloop deadletters`: what no service could act on, seen to upon the stores or through the gateway."""
