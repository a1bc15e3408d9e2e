// LangGraph's own JavaScript client, unmodified, against a real server over the test graphs.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const require = createRequire(path.join(root, "tests/package.json"));
const { Client } = await import(pathToFileURL(require.resolve("@langchain/langgraph-sdk")).href);

const GUARD_MS = 30_000;
const hello = { messages: [{ type: "human", content: "hi", id: "m1" }] };
let server;
let folder;
let client;

async function until(ready, what) {
  const end = Date.now() + GUARD_MS;
  for (;;) {
    const value = await ready();
    if (value) return value;
    assert.ok(Date.now() < end, `${what}: not within ${GUARD_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function collect(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "duragraph-js-"));
  const project = path.join(folder, "project");
  await cp(path.join(root, "tests/graphs"), project, {
    recursive: true,
    filter: (name) => !name.includes("__pycache__") && !name.includes(".duragraph"),
  });
  const binary = process.env.DURAGRAPH_BIN ?? path.join(root, "bin/duragraph");
  const python = process.env.DURAGRAPH_TEST_PYTHON ?? path.join(root, "build/test-env/bin/python");
  server = spawn(binary, ["dev", project, "--port", "0", "--no-reload"], {
    env: { ...process.env, VIRTUAL_ENV: path.dirname(path.dirname(python)) },
    stdio: "ignore",
  });
  const { url } = await until(
    () => readFile(path.join(project, ".duragraph/server.json"), "utf8").then(JSON.parse, () => undefined),
    "the server's address",
  );
  client = new Client({ apiUrl: url });
  await until(async () => {
    const { workers } = await (await fetch(`${url}/api/v1/workers`)).json();
    return workers.length === 1;
  }, "a worker");
});

after(async () => {
  server.kill("SIGTERM");
  await new Promise((resolve) => (server.exitCode === null ? server.once("exit", resolve) : resolve()));
  await rm(folder, { recursive: true, force: true });
});

test("assistants: default, versions, graph, schemas", async () => {
  const [agent] = await client.assistants.search({ graphId: "agent", metadata: { created_by: "system" } });
  assert.equal(agent.name, "agent");
  const made = await client.assistants.create({ graphId: "agent", name: "one" });
  await client.assistants.update(made.assistant_id, { name: "two" });
  const back = await client.assistants.setLatest(made.assistant_id, 1);
  assert.equal(back.name, "one");
  assert.equal((await client.assistants.update(made.assistant_id, { name: "three" })).version, 3);
  assert.ok((await client.assistants.getGraph("agent")).nodes.length >= 4);
  assert.equal((await client.assistants.getSchemas("agent")).graph_id, "agent");
  await client.assistants.delete(made.assistant_id);
  await assert.rejects(client.assistants.get(made.assistant_id), /404/);
});

test("threads: create, search, history, copy, delete", async () => {
  const thread = await client.threads.create({ metadata: { js: "yes" } });
  assert.deepEqual(await client.runs.wait(thread.thread_id, "three_nodes", { input: { steps: [] } }), {
    steps: ["a", "b", "c"],
  });
  const found = await client.threads.search({ metadata: { js: "yes" } });
  assert.deepEqual(found.map((t) => t.thread_id), [thread.thread_id]);
  const history = await client.threads.getHistory(thread.thread_id);
  assert.deepEqual(history.map((s) => s.metadata.step), [3, 2, 1, 0, -1]);
  const copy = await client.threads.copy(thread.thread_id);
  assert.deepEqual((await client.threads.getState(copy.thread_id)).values, { steps: ["a", "b", "c"] });
  await client.threads.updateState(copy.thread_id, { values: { steps: ["x"] }, asNode: "c" });
  assert.deepEqual((await client.threads.getState(copy.thread_id)).values.steps, ["a", "b", "c", "x"]);
  await client.threads.delete(copy.thread_id);
  await assert.rejects(client.threads.get(copy.thread_id), /404/);
});

test("streams: modes, ids, joining again", async () => {
  const { thread_id: id } = await client.threads.create();
  let announced;
  const parts = await collect(
    client.runs.stream(id, "agent", {
      input: hello,
      streamMode: ["values", "messages-tuple", "updates"],
      streamResumable: true,
      onRunCreated: (run) => (announced = run.run_id),
    }),
  );
  assert.deepEqual(parts.map((p) => p.id), parts.map((_, n) => String(n)));
  assert.deepEqual(new Set(parts.map((p) => p.event)), new Set(["metadata", "values", "messages", "updates"]));
  assert.equal(parts[0].data.run_id, announced);
  const again = await collect(client.runs.joinStream(id, announced, { lastEventId: "-1" }));
  assert.deepEqual(again, parts);
  const rest = await collect(client.runs.joinStream(id, announced, { lastEventId: "4" }));
  assert.deepEqual(rest, parts.slice(5));
});

test("interrupt and resume", async () => {
  const { thread_id: id } = await client.threads.create();
  await client.runs.wait(id, "human", { input: { topic: "cats" } });
  const asked = await client.threads.get(id);
  assert.equal(asked.status, "interrupted");
  assert.equal(Object.values(asked.interrupts).length, 1);
  const done = await client.runs.wait(id, "human", { command: { resume: "yes" } });
  assert.equal(done.answer, "yes");
});

test("cancel, batch, errors", async () => {
  const { thread_id: id } = await client.threads.create();
  const run = await client.runs.create(id, "slow", { input: { gate: path.join(folder, "never") } });
  await until(async () => (await client.runs.get(id, run.run_id)).status === "running", "the start");
  await client.runs.cancel(id, run.run_id, true);
  assert.equal((await client.runs.get(id, run.run_id)).status, "interrupted");
  const made = await client.runs.createBatch([{ assistantId: "three_nodes", input: { steps: [] } }]);
  assert.equal(made.length, 1);
  await assert.rejects(client.runs.wait(null, "raises", { input: {} }), /CustomError: Boo!/);
  await assert.rejects(client.runs.wait(null, "nope", { input: {} }), /No assistant found for/);
});

test("store", async () => {
  await client.store.putItem(["js", "a"], "k", { n: 1 });
  const item = await client.store.getItem(["js", "a"], "k");
  assert.deepEqual(item.value, { n: 1 });
  const { items } = await client.store.searchItems(["js"], { filter: { n: 1 } });
  assert.equal(items.length, 1);
  assert.deepEqual((await client.store.listNamespaces({ prefix: ["js"] })).namespaces, [["js", "a"]]);
  await client.store.deleteItem(["js", "a"], "k");
  assert.equal(await client.store.getItem(["js", "a"], "k"), null);
});
