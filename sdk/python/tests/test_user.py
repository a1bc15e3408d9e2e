"""The user as graphs are given it."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from duragraph_host.runner import build_config
from duragraph_host.user import AuthUser

TOLD = {"identity": "ann", "is_authenticated": True, "permissions": ["editor"]}


def test_members_are_attributes() -> None:
    user = AuthUser(TOLD)
    assert (user.identity, user["identity"], user.permissions) == ("ann", "ann", ["editor"])
    with pytest.raises(AttributeError):
        user.name  # noqa: B018
    for same in (copy.deepcopy(user), pickle.loads(pickle.dumps(user)), json.loads(json.dumps(user))):
        assert same == TOLD


def test_a_run_is_told_its_user() -> None:
    lease = {"run_id": "r", "config": {"configurable": {"langgraph_auth_user": TOLD, "user_id": "ann"}}}
    assert build_config(lease)["configurable"]["langgraph_auth_user"].identity == "ann"
    assert lease["config"]["configurable"]["langgraph_auth_user"] is TOLD  # type: ignore[index]
    assert "langgraph_auth_user" not in build_config({"run_id": "r", "config": {}})["configurable"]
