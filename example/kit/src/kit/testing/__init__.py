"""A pytest plugin: a real PostgreSQL, the service in front of it, and what must always hold."""
