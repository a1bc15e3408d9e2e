-- Whether the project's langgraph.json names the graph, or did once.
ALTER TABLE graphs ADD COLUMN declared INTEGER NOT NULL DEFAULT 0;
