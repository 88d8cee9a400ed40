"""The MCP server of docs/mcp.md, and agents that call it."""

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fastmcp import Client
from fastmcp.client.client import CallToolResult

from hooks.rendering import ROOT
from tests.documents import steps
from tests.projects import UV
from tests.servers import end, free_port

PAGE = (ROOT / "docs/mcp.md").read_text("utf-8")


@contextmanager
def mcp_server(folder: Path, service_url: str) -> Iterator[str]:
    """Run the program of the page by the command of the page. Yields the address of its tools."""
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (folder / "mcp_server.py").write_text(program, "utf-8")
    (command,) = steps(PAGE)
    port = free_port()
    with subprocess.Popen(
        ["bash", "-c", command.text.replace("8001", str(port)).replace("uv ", f"'{UV}' ")],
        cwd=folder,
        env={**os.environ, "SERVICE_URL": service_url, "FASTMCP_CHECK_FOR_UPDATES": "off"},
        start_new_session=True,
    ) as process:
        try:
            listens(process, port)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            end(process)


def listens(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until it does: at first, its dependencies are installed."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            return socket.create_connection(("127.0.0.1", port)).close()
        time.sleep(0.1)
    raise AssertionError("the MCP server does not start")


def agent(url: str, headers: Mapping[str, str]) -> Client[Any]:
    """As the page configures it."""
    (text,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    configuration = json.loads(text)
    configuration["mcpServers"]["tasks"] |= {"url": url, "headers": dict(headers)}
    return Client(configuration)


async def titles(agent: Client[Any]) -> list[str]:
    listed = await agent.call_tool("list_tasks", {"limit": 200})
    return [task["title"] for task in content(listed)["items"]]


def content(result: CallToolResult) -> dict[str, Any]:
    assert result.structured_content is not None
    return result.structured_content
