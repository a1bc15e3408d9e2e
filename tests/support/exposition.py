"""Prometheus's text format, and the queries that are asked of what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import promql_parser

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?')
MADE_BY_PROMETHEUS = {"instance", "job"}
"""Labels that a scrape adds."""


@dataclass(frozen=True)
class Series:
    name: str
    labels: dict[str, str]
    value: float


@dataclass
class Scrape:
    types: dict[str, str] = field(default_factory=dict)
    helps: dict[str, str] = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)

    @classmethod
    def read(cls, text: str) -> Scrape:
        scrape = cls()
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                scrape.types[name] = kind
            elif line.startswith("# HELP "):
                _, _, name, words = line.split(maxsplit=3)
                scrape.helps[name] = words
            elif line:
                found = _SAMPLE.match(line)
                assert found, line
                labels = dict(_LABEL.findall(found[2] or ""))
                scrape.series.append(Series(found[1], labels, float(found[3])))
        return scrape

    def metric_of(self, series: Series) -> str:
        """The metric that the series belongs to: of a histogram's, the histogram."""
        base = re.sub(r"_(bucket|sum|count)$", "", series.name)
        return base if self.types.get(base) == "histogram" else series.name

    def labels_of(self, metric: str) -> set[str]:
        return {
            label for one in self.series if self.metric_of(one) == metric for label in one.labels if label != "le"
        }

    def values(self, name: str, **labels: str) -> list[float]:
        return [s.value for s in self.series if s.name == name and labels.items() <= s.labels.items()]

    def missing(self, query: str) -> list[str]:
        """The selectors of a query that select nothing here."""
        return [str(s.prettify()) for s in selectors(query) if not any(_selects(s, one) for one in self.series)]


def selectors(query: str) -> list[Any]:
    """Every selector in a query of PromQL; ValueError where it is none."""
    return list(_walk(promql_parser.parse(query)))


def _walk(node: Any) -> Iterator[Any]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        if (inner := getattr(node, name, None)) is not None:
            yield from _walk(inner)
    for inner in getattr(node, "args", None) or []:
        yield from _walk(inner)


def _selects(selector: Any, series: Series) -> bool:
    if series.name != selector.name:
        return False
    for matcher in selector.matchers.matchers:
        if matcher.name in MADE_BY_PROMETHEUS:
            continue
        value, op = series.labels.get(matcher.name, ""), str(matcher.op)
        equal = re.fullmatch(matcher.value, value) is not None if "Re" in op else value == matcher.value
        if equal == ("Not" in op):
            return False
    return True
