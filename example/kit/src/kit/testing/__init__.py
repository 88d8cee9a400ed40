"""A pytest plugin: a real PostgreSQL, the service on it, and the invariants of every service."""
