"""What `uv run dev` says when the API answers."""

from pathlib import Path
from urllib.parse import urlsplit


def banner(api: str, header: str, database: str, data: Path | None) -> str:
    tasks = f"{api}/api/v1/tasks"
    stays = f"; the data stays in {data}" if data else ""
    return f"""
  API       {tasks}
  Docs      {api}/docs
  User      send a header, for example  {header}: alice
  Database  {database if data else without_secrets(database)}
  Try       curl -s -H '{header}: alice' -H 'Content-Type: application/json' \\
                 -d '{{"title": "Buy milk"}}' {tasks}

  Ctrl-C stops it all{stays}.
"""


def without_secrets(url: str) -> str:
    """Only the host and the database's name: a URL can hold a password in several places."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "DATABASE_URL"
    return f"DATABASE_URL ({parts.hostname}{parts.path})" if parts.hostname else "DATABASE_URL"
