"""What docs/observability.md and deploy/ say of metrics, held against a server that has been used."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exposition import MADE_BY_PROMETHEUS, Scrape, selectors
from postgres import Cluster, Database
from processes import ROOT, Project, ServeServer, migrate, until

DOCS = (ROOT / "docs" / "observability.md").read_text()
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "duragraph.json").read_text())
ALERTS = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def documented() -> dict[str, tuple[str, set[str]]]:
    """The type and labels of each metric in the tables of the page."""
    found = {}
    for row in re.findall(r"^\|( `(?:duragraph|process)_.*)\|$", DOCS, re.M):
        names, kind, labels, *_ = row.split("|")
        for name in re.findall(r"`(\w+)`", names):
            found[name] = (kind.strip(), set(re.findall(r"`(\w+)`", labels)))
    return found


def anchors() -> set[str]:
    """The links to the page's headings, as GitHub makes them."""
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", DOCS, re.M)}


class Used:
    """A server that has done a little of everything."""

    def __init__(self, project: Project, url: str) -> None:
        self.server = ServeServer(
            project, url, RATE_LIMIT_ENABLED="true", RATE_LIMIT_RPS="10000", RATE_LIMIT_BURST="10000"
        )
        self.api = self.server.api
        self.server.wait_workers()
        self.ids: set[str] = set()
        self.play()
        # The clearing away of the start, and a look at the loop.
        until(lambda: self.scrape().values("duragraph_event_loop_lag_seconds_count")[0] > 0, "a look at the loop")

    def play(self) -> None:
        for graph, input, status in (
            ("three_nodes", {"steps": []}, "success"),
            ("raises", {}, "error"),
            ("human", {"topic": "tea"}, "success"),
        ):
            thread = self.api.thread()
            run = self.api.start(thread, graph, input)
            self.api.wait_status(run, status)
            self.api.frames(thread, run)
            self.ids |= {thread, run}
        nobody = str(uuid.uuid4())
        for path in (f"/threads/{nobody}", f"/nothing/{nobody}", "/ok", "/api/v1/health"):
            asked = self.api.http.get(path, headers={"X-Request-Id": nobody})
            assert asked.headers["x-request-id"] == nobody
        self.ids.add(nobody)

    def scrape(self) -> Scrape:
        return Scrape.read(self.api.http.get("/metrics").text)


@pytest.fixture(scope="module")
def used(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Used]:
    project, database = Project(tmp_path_factory.mktemp("used")), Database(cluster)
    migrate(project, database.url)
    yield Used(project, database.url)
    project.close()
    database.close()


@pytest.fixture(scope="module")
def scrape(used: Used) -> Scrape:
    return used.scrape()


def test_every_metric_is_documented_as_it_is(scrape: Scrape) -> None:
    there = {scrape.metric_of(one) for one in scrape.series}
    said = documented()
    assert there - set(said) == set(), "not documented"
    assert set(said) - there == set(), "documented, and without a series"
    assert {name: scrape.types[name] for name in there} == {name: kind for name, (kind, _) in said.items()}
    assert {name: scrape.labels_of(name) for name in there} == {name: labels for name, (_, labels) in said.items()}


def test_names_are_as_prometheus_wants_them(scrape: Scrape) -> None:
    for name, kind in scrape.types.items():
        assert name.endswith("_total") == (kind == "counter"), name
        assert kind != "histogram" or name.endswith("_seconds"), name
        assert scrape.helps[name], name


def test_no_label_holds_an_id(used: Used) -> None:
    before = used.scrape()
    for one in before.series:
        for label, value in one.labels.items():
            assert not any(known in value for known in used.ids), (one, label)
            assert not re.search(r"[0-9a-f]{8}-?[0-9a-f]{4}|[0-9a-f]{16}", value), (one, label)
            assert label not in MADE_BY_PROMETHEUS, one
    used.play()
    after = used.scrape()
    assert len(after.series) == len(before.series), "more of the same requests and runs made more series"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_an_alert_has_its_series(scrape: Scrape, alert: dict[str, Any]) -> None:
    assert selectors(alert["expr"]) and scrape.missing(alert["expr"]) == []


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_what_to_do(alert: dict[str, Any]) -> None:
    assert re.fullmatch(r"\d+[smh]", alert["for"]) and alert["labels"]["severity"] in {"critical", "warning"}
    annotations = alert["annotations"]
    assert annotations["summary"] and len(annotations["description"]) > 40
    page, anchor = annotations["runbook"].split("#")
    assert page == "docs/observability.md" and anchor in anchors()


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_has_its_series(scrape: Scrape, panel: dict[str, Any]) -> None:
    assert panel["targets"] and panel["datasource"]["uid"] == "${datasource}"
    for target in panel["targets"]:
        query = target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
        assert "$" not in query and scrape.missing(query) == [], target
        assert target["datasource"]["uid"] == "${datasource}" and target["legendFormat"]


def test_the_dashboard_is_whole() -> None:
    assert {variable["name"]: variable["type"] for variable in DASHBOARD["templating"]["list"]} == {
        "datasource": "datasource",
        "instance": "query",
    }
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells


def test_every_metric_is_shown_or_watched(scrape: Scrape) -> None:
    asked = [alert["expr"] for alert in ALERTS]
    asked += [target["expr"].replace("$__rate_interval", "5m") for panel in PANELS for target in panel["targets"]]
    named = {re.sub(r"_(bucket|sum|count)$", "", s.name) if s.name else "" for query in asked for s in selectors(query)}
    assert set(documented()) - named == set()


def test_what_alerts_count_is_there_before_it_happens(tmp_path: Path, database: Database) -> None:
    """A counter that appears with its first event has no rate of increase: the alert would miss it."""
    project = Project(tmp_path)
    try:
        migrate(project, database.url)
        limits = {"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_RPS": "1000", "RATE_LIMIT_BURST": "1000"}
        server = ServeServer(project, database.url, worker=False, **limits)
        server.answers("/ok")
        fresh = Scrape.read(server.api.http.get("/metrics").text)
        for alert in ALERTS:
            missing = [query for query in fresh.missing(alert["expr"])]
            assert not missing, (alert["alert"], missing)
    finally:
        project.close()
