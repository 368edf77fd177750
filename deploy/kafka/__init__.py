"""A local Apache Kafka for development and tests."""
