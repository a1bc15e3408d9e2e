"""DuraGraph's Python host: runs LangGraph projects for a DuraGraph server."""

__version__ = "0.1.0"
