"""What `uv run dev` says when the API answers."""

from pathlib import Path
from urllib.parse import urlsplit


def banner(api: str, header: str, database: str, data: Path | None) -> str:
    """With the data's folder if the database is the project's own."""
    tasks = f"{api}/api/v1/tasks"
    end = _where_the_data_stays(data) if data else ""
    return f"""
  API       {tasks}
  Docs      {api}/docs
  User      send a header, for example  {header}: alice
  Database  {database if data else _without_secrets(database)}
  Try       curl -s -H '{header}: alice' -H 'Content-Type: application/json' \\
                 -d '{{"title": "Buy milk"}}' {tasks}

  Ctrl-C stops it all{end}.
"""


def _where_the_data_stays(data: Path) -> str:
    project = Path.cwd()
    if data.is_relative_to(project):
        return f"; the data stays in {data.relative_to(project)}"
    return f"; the data stays in {data}, as what runs PostgreSQL for root cannot reach this folder"


def _without_secrets(url: str) -> str:
    """Only the host and the database's name: a URL can hold a password in several places."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "DATABASE_URL"
    return f"DATABASE_URL ({parts.hostname}{parts.path})" if parts.hostname else "DATABASE_URL"
