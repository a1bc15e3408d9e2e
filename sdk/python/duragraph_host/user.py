"""The user for whom a graph runs, as LangGraph's own server gives it to graphs."""

from __future__ import annotations

from typing import Any


class AuthUser(dict[str, Any]):
    """A user's members are attributes, too: graphs read either, and the library looks for ``identity``."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def with_user(configurable: dict[str, Any]) -> dict[str, Any]:
    """The same dict, in which the user that the server told of is one."""
    user = configurable.get("langgraph_auth_user")
    if isinstance(user, dict):
        configurable["langgraph_auth_user"] = AuthUser(user)
    return configurable
