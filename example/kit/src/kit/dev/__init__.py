"""What `uv run dev`, `uv run add-resource` and the tests need, and production must not have."""
