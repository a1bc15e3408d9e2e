"""The state behind the protocol double: checkpoints, writes and items in dicts."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

Typed = tuple[str, bytes]
Key = tuple[str, str, str]


class Blobs:
    """Collects the blobs of an answer."""

    def __init__(self) -> None:
        self.blobs: list[bytes] = []

    def add(self, typed: Typed) -> dict[str, Any]:
        self.blobs.append(typed[1])
        return {"type": typed[0], "blob": len(self.blobs) - 1}


class Storage:
    """Applies numbered messages and answers reads, as the protocol says."""

    def __init__(self) -> None:
        self.checkpoints: dict[Key, dict[str, Any]] = {}
        self.values: dict[tuple[str, str, str, Any], Typed] = {}
        self.writes: dict[Key, dict[tuple[str, int], tuple[str, str, Typed]]] = {}
        self.items: dict[tuple[tuple[str, ...], str], dict[str, Any]] = {}

    def apply(self, thread: str, message: dict[str, Any], blobs: list[bytes]) -> None:
        if message["type"] == "checkpoint":
            self._apply_checkpoint(thread, message, blobs)
        elif message["type"] == "writes":
            self._apply_writes(thread, message, blobs)
        elif message["type"] == "items":
            self.put_items(message["puts"])

    def _apply_checkpoint(self, thread: str, m: dict[str, Any], blobs: list[bytes]) -> None:
        for value in m["values"]:
            key = (thread, m["ns"], value["channel"], value["version"])
            self.values[key] = (value["type"], blobs[value["blob"]])
        self.checkpoints[(thread, m["ns"], m["checkpoint_id"])] = {
            "parent_id": m["parent_id"],
            "checkpoint": (m["checkpoint"]["type"], blobs[m["checkpoint"]["blob"]]),
            "channel_versions": m["channel_versions"],
            "metadata": m["metadata"],
            "projection": m["projection"],
        }

    def _apply_writes(self, thread: str, m: dict[str, Any], blobs: list[bytes]) -> None:
        kept = self.writes.setdefault((thread, m["ns"], m["checkpoint_id"]), {})
        for w in m["writes"]:
            key = (m["task_id"], w["idx"])
            if w["idx"] < 0 or key not in kept:
                kept[key] = (m["task_path"], w["channel"], (w["type"], blobs[w["blob"]]))

    def put_items(self, puts: list[dict[str, Any]]) -> None:
        now = datetime.now(timezone.utc).isoformat()
        for put in puts:
            key = (tuple(put["namespace"]), put["key"])
            if put["value"] is None:
                self.items.pop(key, None)
            else:
                created = self.items.get(key, {}).get("created_at", now)
                self.items[key] = {**put, "created_at": created, "updated_at": now}

    def answer(self, m: dict[str, Any]) -> tuple[Any, list[bytes]]:
        """The result of a read or of an operation on whole threads. Raises ValueError for anything else."""
        out = Blobs()
        method = getattr(self, "_on_" + m["type"], None)
        if method is None:
            raise ValueError(f"unknown type {m['type']}")
        return method(m, out), out.blobs

    def _on_get_tuple(self, m: dict[str, Any], out: Blobs) -> Any:
        key = self._find(m)
        return None if key is None else self._tuple(key, out)

    def _on_list(self, m: dict[str, Any], out: Blobs) -> Any:
        wanted = m.get("filter") or {}
        keys = [
            key
            for key, row in self.checkpoints.items()
            if m["thread_id"] in (None, key[0])
            and m["ns"] in (None, key[1])
            and m["checkpoint_id"] in (None, key[2])
            and (m["before"] is None or key[2] < m["before"])
            and all(row["metadata"].get(k) == v for k, v in wanted.items())
        ]
        keys.sort(key=lambda key: key[2], reverse=True)
        return {"tuples": [self._tuple(key, out) for key in keys[: m["limit"]]]}

    def _on_delta_history(self, m: dict[str, Any], out: Blobs) -> Any:
        key = self._find(m)
        return {channel: self._history(key, channel, out) for channel in m["channels"]}

    def _history(self, key: Key | None, channel: str, out: Blobs) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        at = self._parent(key)
        while at is not None and at in self.checkpoints:
            found = [w for w in self._writes(at, out) if w["channel"] == channel] + found
            version = self.checkpoints[at]["channel_versions"].get(channel)
            typed = self.values.get((at[0], at[1], channel, version))
            if typed is not None:
                return {"writes": found, "seed": out.add(typed)}
            at = self._parent(at)
        return {"writes": found}

    def _on_items_read(self, m: dict[str, Any], out: Blobs) -> Any:
        return [self._read(op) for op in m["ops"]]

    def _read(self, op: dict[str, Any]) -> Any:
        if op["op"] == "get":
            return self.items.get((tuple(op["namespace"]), op["key"]))
        page = slice(op["offset"], op["offset"] + op["limit"])
        if op["op"] == "search":
            prefix, wanted = tuple(op["namespace_prefix"]), op["filter"] or {}
            found = [
                item
                for (ns, _), item in self.items.items()
                if ns[: len(prefix)] == prefix and all(item["value"].get(k) == v for k, v in wanted.items())
            ]
            return found[page]
        prefix, suffix = tuple(op["prefix"] or ()), tuple(op["suffix"] or ())
        names = {ns for ns, _ in self.items if ns[: len(prefix)] == prefix}
        names = {ns for ns in names if not suffix or ns[-len(suffix) :] == suffix}
        return sorted({ns[: op["max_depth"]] for ns in names})[page]

    def _on_delete_thread(self, m: dict[str, Any], out: Blobs) -> Any:
        self._drop([key for key in self.checkpoints if key[0] in m["thread_ids"]])
        return {}

    def _on_delete_for_runs(self, m: dict[str, Any], out: Blobs) -> Any:
        self._drop(
            [k for k, row in self.checkpoints.items() if row["metadata"].get("run_id") in m["run_ids"]]
        )
        return {}

    def _on_prune(self, m: dict[str, Any], out: Blobs) -> Any:
        keys = [key for key in self.checkpoints if key[0] in m["thread_ids"]]
        if m["strategy"] == "keep_latest":
            newest: dict[tuple[str, str], str] = {}
            for thread, ns, id in keys:
                newest[(thread, ns)] = max(id, newest.get((thread, ns), ""))
            keys = [key for key in keys if newest[key[:2]] != key[2]]
        self._drop(keys)
        return {}

    def _on_copy_thread(self, m: dict[str, Any], out: Blobs) -> Any:
        for table in (self.checkpoints, self.values, self.writes):
            rows: dict[Any, Any] = table
            rows.update({(m["target"], *key[1:]): row for key, row in rows.items() if key[0] == m["source"]})
        return {}

    def _drop(self, keys: list[Key]) -> None:
        for key in keys:
            self.checkpoints.pop(key)
            self.writes.pop(key, None)

    def _find(self, m: dict[str, Any]) -> Key | None:
        thread, ns, id = m["thread_id"], m["ns"], m["checkpoint_id"]
        if id is None:
            id = max((k[2] for k in self.checkpoints if k[:2] == (thread, ns)), default="")
        return (thread, ns, id) if (thread, ns, id) in self.checkpoints else None

    def _parent(self, key: Key | None) -> Key | None:
        parent = self.checkpoints[key]["parent_id"] if key is not None else None
        return (key[0], key[1], parent) if key is not None and parent is not None else None

    def _writes(self, key: Key, out: Blobs) -> list[dict[str, Any]]:
        rows = sorted((path, task, idx) for (task, idx), (path, _, _) in self.writes.get(key, {}).items())
        return [
            {"task_id": task, "idx": idx, "channel": channel, **out.add(typed)}
            for _, task, idx in rows
            for _, channel, typed in [self.writes[key][(task, idx)]]
        ]

    def _tuple(self, key: Key, out: Blobs) -> dict[str, Any]:
        row = self.checkpoints[key]
        values = []
        for channel, version in row["channel_versions"].items():
            typed = self.values.get((key[0], key[1], channel, version))
            if typed is not None:
                values.append({"channel": channel, "version": version, **out.add(typed)})
        return {
            "thread_id": key[0],
            "ns": key[1],
            "checkpoint_id": key[2],
            "parent_id": row["parent_id"],
            "checkpoint": out.add(row["checkpoint"]),
            "metadata": row["metadata"],
            "values": values,
            "writes": self._writes(key, out),
        }
