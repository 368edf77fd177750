"""The published language of Fieldloop: events, envelope, topics, problem codes. Imports nothing of ours."""
