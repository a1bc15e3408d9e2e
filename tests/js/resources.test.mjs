// Assistants, threads with their state, and the store, by the JavaScript client.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { useServer } from "./server.mjs";

const server = useServer();
const steps = { steps: [] };
const ids = (list, name) => list.map((each) => each[name]);

test("assistants: life and versions", async () => {
  const { assistants } = server.client;
  const made = await assistants.create({ graphId: "agent", name: "one", metadata: { a: 1 }, config: { configurable: { x: "y" } } });
  assert.deepEqual([made.version, made.name, made.config.configurable], [1, "one", { x: "y" }]);
  const again = await assistants.create({ graphId: "agent", assistantId: made.assistant_id, ifExists: "do_nothing" });
  assert.deepEqual(again, made);
  await assert.rejects(assistants.create({ graphId: "agent", assistantId: made.assistant_id }), /HTTP 409/);
  const second = await assistants.update(made.assistant_id, { name: "two", metadata: { b: 2 } });
  assert.deepEqual([second.version, second.metadata], [2, { a: 1, b: 2 }]);
  assert.equal((await assistants.setLatest(made.assistant_id, 1)).name, "one");
  assert.equal((await assistants.update(made.assistant_id, { name: "three" })).version, 3);
  assert.deepEqual(ids(await assistants.getVersions(made.assistant_id), "version"), [3, 2, 1]);
  await assistants.delete(made.assistant_id);
  await assert.rejects(assistants.get(made.assistant_id), /HTTP 404.*Assistant not found/s);
  await assert.rejects(assistants.getVersions(made.assistant_id), /HTTP 404/);
});

test("assistants: search, pages and count", async () => {
  const { assistants } = server.client;
  const tag = randomUUID();
  for (const n of [0, 1, 2]) await assistants.create({ graphId: "agent", name: `Pager ${n}`, metadata: { tag } });
  assert.equal(await assistants.count({ metadata: { tag } }), 3);
  const page = await assistants.search({ metadata: { tag }, limit: 2, includePagination: true });
  assert.deepEqual([ids(page.assistants, "name"), page.next], [["Pager 2", "Pager 1"], "2"]);
  const rest = await assistants.search({ metadata: { tag }, limit: 2, offset: 2, includePagination: true });
  assert.deepEqual([ids(rest.assistants, "name"), rest.next], [["Pager 0"], null]);
  const system = await assistants.search({ metadata: { created_by: "system" }, limit: 100 });
  assert.equal(new Set(ids(system, "graph_id")).size, system.length);
  assert.equal(system.length, 21);
});

test("assistants: graph, schemas, subgraphs", async () => {
  const { assistants } = server.client;
  const graph = await assistants.getGraph("agent");
  assert.deepEqual(ids(graph.nodes, "id").sort(), ["__end__", "__start__", "agent", "tool"]);
  assert.equal(graph.edges.filter((edge) => edge.conditional).length, 2);
  const deep = await assistants.getGraph("subgraph", { xray: true });
  assert.ok(ids(deep.nodes, "id").includes("child:child_work"));
  const schemas = await assistants.getSchemas("private_state");
  assert.deepEqual(Object.keys(schemas.input_schema.properties), ["question"]);
  assert.deepEqual(Object.keys(await assistants.getSubgraphs("subgraph", { recurse: true })), ["child"]);
});

test("threads: life, search and count", async () => {
  const { threads, runs } = server.client;
  const tag = randomUUID();
  const threadId = randomUUID();
  const made = await threads.create({ threadId, metadata: { tag, n: 1 } });
  assert.deepEqual([made.thread_id, made.status, made.interrupts], [threadId, "idle", {}]);
  await assert.rejects(threads.create({ threadId }), /HTTP 409/);
  assert.equal((await threads.create({ threadId, ifExists: "do_nothing" })).metadata.n, 1);
  assert.deepEqual((await threads.update(threadId, { metadata: { m: 2 } })).metadata, { tag, n: 1, m: 2 });
  assert.equal(await threads.update(threadId, { metadata: { m: 3 }, returnMinimal: true }), undefined);
  const other = await threads.create({ metadata: { tag } });
  await runs.wait(other.thread_id, "human", { input: { topic: "x" } });
  assert.deepEqual(ids(await threads.search({ metadata: { tag } }), "thread_id"), [other.thread_id, threadId]);
  assert.deepEqual(ids(await threads.search({ metadata: { tag }, status: "interrupted" }), "thread_id"), [other.thread_id]);
  assert.deepEqual(ids(await threads.search({ ids: [threadId] }), "thread_id"), [threadId]);
  const sorted = await threads.search({ metadata: { tag }, sortBy: "created_at", sortOrder: "asc", limit: 1 });
  assert.deepEqual(ids(sorted, "thread_id"), [threadId]);
  assert.equal(await threads.count({ metadata: { tag } }), 2);
  await threads.delete(threadId);
  await assert.rejects(threads.get(threadId), new RegExp(`HTTP 404.*Thread with ID ${threadId} not found`, "s"));
});

test("threads: state, history and copies", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await assert.rejects(threads.updateState(thread_id, { values: {} }), /HTTP 400.*has no graph ID/s);
  await runs.wait(thread_id, "three_nodes", { input: steps, metadata: { mine: "yes" } });
  const history = await threads.getHistory(thread_id);
  assert.deepEqual(history.map((state) => state.next), [[], ["c"], ["b"], ["a"], ["__start__"]]);
  assert.deepEqual(await threads.getState(thread_id), history[0]);
  assert.deepEqual(await threads.getState(thread_id, history[2].checkpoint), history[2]);
  assert.deepEqual(await threads.getState(thread_id, history[2].checkpoint.checkpoint_id), history[2]);
  assert.deepEqual(await threads.getHistory(thread_id, { limit: 2, before: { configurable: history[1].checkpoint } }), history.slice(2, 4));
  assert.equal((await threads.getHistory(thread_id, { metadata: { mine: "yes" } })).length, 5);
  assert.deepEqual(await threads.getHistory(thread_id, { metadata: { mine: "no" } }), []);
  await threads.updateState(thread_id, { values: { steps: ["mine"] }, asNode: "a" });
  const state = await threads.getState(thread_id);
  assert.deepEqual([state.values.steps.at(-1), state.next], ["mine", ["b"]]);

  const copy = await threads.copy(thread_id);
  const strip = (states) => JSON.parse(JSON.stringify(states).replaceAll(copy.thread_id, thread_id));
  assert.deepEqual(strip(await threads.getHistory(copy.thread_id)), await threads.getHistory(thread_id));
  await runs.wait(copy.thread_id, "three_nodes", { input: null });
  assert.deepEqual(await threads.getState(thread_id), state);
  await threads.patchState(thread_id, { patched: true });
  assert.equal((await threads.get(thread_id)).metadata.patched, true);
});

test("threads: subgraphs", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "subgraph", { input: { ask: true } });
  const [flat] = (await threads.getState(thread_id)).tasks;
  assert.deepEqual([flat.checkpoint.checkpoint_ns, flat.state], [`child:${flat.id}`, null]);
  const [nested] = (await threads.getState(thread_id, undefined, { subgraphs: true })).tasks;
  assert.deepEqual([nested.checkpoint, nested.state.next], [null, ["child_ask"]]);
  const inner = await threads.getHistory(thread_id, { checkpoint: flat.checkpoint });
  assert.deepEqual(inner.map((state) => state.next), [["child_ask"], ["child_work"], ["__start__"]]);
});

test("store", async () => {
  const { store } = server.client;
  const root = randomUUID();
  assert.equal(await store.getItem([root, "a"], "k"), null);
  await store.putItem([root, "a"], "k", { n: 1 });
  const first = await store.getItem([root, "a"], "k");
  await store.putItem([root, "a"], "k", { n: 2 });
  const second = await store.getItem([root, "a"], "k");
  assert.deepEqual([second.value, second.createdAt], [{ n: 2 }, first.createdAt]);
  assert.ok(second.updatedAt > first.updatedAt);
  await store.putItem([root, "b"], "l", { n: 5 });
  assert.deepEqual(ids((await store.searchItems([root], { filter: { n: { $gt: 3 } } })).items, "key"), ["l"]);
  assert.deepEqual(ids((await store.searchItems([root], { limit: 1, offset: 2 })).items, "key"), []);
  assert.deepEqual((await store.listNamespaces({ prefix: [root] })).namespaces, [[root, "a"], [root, "b"]]);
  assert.deepEqual((await store.listNamespaces({ prefix: [root], maxDepth: 1 })).namespaces, [[root]]);
  await store.deleteItem([root, "a"], "k");
  assert.equal(await store.getItem([root, "a"], "k"), null);
  await assert.rejects(store.putItem(["a.b"], "k", {}));
});
