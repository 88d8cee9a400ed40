"""The page about agents: its MCP server passes each user's calls to a service that runs."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError

from hooks.rendering import render
from tests.agents import agent, content, mcp_server, titles
from tests.projects import DEV, Project, passable_folder, project_environment
from tests.servers import NO_TLS, running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("agents")]


@pytest.fixture(scope="module")
def url(template: Path, shared: Path) -> Iterator[str]:
    """The address of the tools."""
    with passable_folder() as folder:
        project = Project(render(template, folder / "todo", {}), project_environment(shared))
        project.sync()
        with (
            running(DEV, project.root, project.environment, "X-User-ID") as service,
            mcp_server(folder, service.url) as url,
        ):
            yield url


def named(url: str, user_id: str) -> Client[Any]:
    return agent(url, {"X-User-ID": user_id})


async def refusal(agent: Client[Any], tool: str, **arguments: object) -> str:
    """What an agent is told of a call that fails."""
    with pytest.raises(ToolError) as refused:
        await agent.call_tool(tool, arguments)
    return str(refused.value)


def problem(said: str) -> Any:
    return json.loads(said[said.index("{") :])


def test_probes_toggle_and_put_are_no_tools(url: str) -> None:
    async def listed() -> set[str]:
        async with named(url, "alice") as alice:
            return {tool.name for tool in await alice.list_tools()}

    tools = {f"{verb}_task" for verb in ("create", "get", "update", "delete")}
    assert asyncio.run(listed()) == tools | {"list_tasks"}


def test_two_users_at_once_stay_apart(url: str) -> None:
    async def call() -> None:
        async with named(url, "ann") as ann, named(url, "ben") as ben:
            calls = [
                agent.call_tool("create_task", {"title": f"{name} {number}"})
                for number in range(20)
                for agent, name in ((ann, "ann"), (ben, "ben"))
            ]
            created = await asyncio.gather(*calls)
            assert {*await titles(ann)} == {f"ann {number}" for number in range(20)}
            assert {*await titles(ben)} == {f"ben {number}" for number in range(20)}
            theirs = content(created[0])["id"]
            assert problem(await refusal(ben, "get_task", task_id=theirs))["status"] == 404

    asyncio.run(call())


def test_a_call_in_a_session_is_made_for_the_user_who_sent_it(url: str) -> None:
    """One session, and another user in each request."""
    headers = {"Accept": "application/json, text/event-stream"}
    client = {"clientInfo": {"name": "test", "version": "1"}, "capabilities": {}}
    hello = {"protocolVersion": "2025-06-18", **client}
    create = {"name": "create_task", "arguments": {"title": "Mine"}}
    with httpx2.Client(headers=headers, verify=NO_TLS) as http:

        def send(user: dict[str, str], method: str, params: object) -> httpx2.Response:
            message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            return http.post(url, json=message, headers=user)

        begun = send({"X-User-ID": "carol"}, "initialize", hello)
        http.headers["Mcp-Session-Id"] = begun.headers["Mcp-Session-Id"]
        for name in ("dan", "carol"):
            said = send({"X-User-ID": name}, "tools/call", create).text
            assert f'"user_id":"{name}"' in said
        assert "unauthenticated" in send({}, "tools/call", create).text


def test_an_agent_mends_its_call_by_the_problem_details(url: str) -> None:
    async def call() -> None:
        async with named(url, "eve") as eve:
            wrong = problem(await refusal(eve, "create_task", title="x" * 201))
            assert (wrong["status"], wrong["code"]) == (400, "invalid_request")
            (fault,) = wrong["errors"]
            assert (fault["pointer"], fault["code"]) == ("/title", "string_too_long")

            unknown = await refusal(eve, "create_task", title="Buy milk", done=True)
            assert "done" in unknown
            assert "completed" in unknown

            mended = {"title": "Buy milk", "completed": True, "idempotency-key": "milk"}
            for _ in range(2):
                await eve.call_tool("create_task", mended)
            assert await titles(eve) == ["Buy milk"]

    asyncio.run(call())
