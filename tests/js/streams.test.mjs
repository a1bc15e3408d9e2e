// Streams by the JavaScript client: every mode, joins and resumption.
import assert from "node:assert/strict";
import { test } from "node:test";
import { all, until, useServer } from "./server.mjs";

const server = useServer();
const input = { messages: [{ type: "human", content: "hi", id: "m1" }] };
const newThread = async () => (await server.client.threads.create()).thread_id;
const events = (parts) => parts.map((part) => part.event);
const kinds = (parts) => [...new Set(events(parts))].sort();
const data = (parts, event) => parts.filter((part) => part.event === event).map((part) => part.data);

async function stream(assistant, payload, thread) {
  return all(server.client.runs.stream(thread ?? (await newThread()), assistant, payload));
}

test("the first frame and the numbers", async () => {
  const created = [];
  const parts = await stream("agent", { input, streamMode: "values", onRunCreated: (run) => created.push(run) });
  assert.deepEqual(parts[0], { id: "0", event: "metadata", data: { run_id: created[0].run_id, attempt: 1 } });
  assert.deepEqual(parts.map((part) => part.id), parts.map((_, n) => String(n)));
  assert.equal(created.length, 1);
});

test("values", async () => {
  const parts = await stream("agent", { input, streamMode: "values" });
  assert.deepEqual(events(parts), ["metadata", "values", "values", "values", "values"]);
  assert.deepEqual(data(parts, "values").map((values) => values.messages.length), [1, 2, 3, 4]);
  assert.equal(data(parts, "values").at(-1).messages.at(-1).content, "end");
});

test("updates", async () => {
  const parts = await stream("agent", { input, streamMode: "updates" });
  assert.deepEqual(data(parts, "updates").map((update) => Object.keys(update)), [["agent"], ["tool"], ["agent"]]);
});

test("messages", async () => {
  const parts = await stream("agent", { input, streamMode: "messages" });
  assert.deepEqual(kinds(parts), ["messages/complete", "messages/metadata", "messages/partial", "metadata"]);
  assert.equal(parts.at(-1).event, "messages/complete");
  assert.equal(parts.at(-1).data[0].content, "end");
  const mixed = await stream("agent", { input, streamMode: ["messages", "values"] });
  assert.equal(mixed.at(-1).event, "messages/complete");
});

test("messages-tuple", async () => {
  const parts = await stream("agent", { input, streamMode: "messages-tuple" });
  assert.deepEqual(kinds(parts), ["messages", "metadata"]);
  const spoken = data(parts, "messages").filter(([message]) => message.type === "AIMessageChunk" && message.content);
  assert.deepEqual(spoken.map(([message]) => message.content), [..."beginend"]);
});

test("events", async () => {
  const parts = await stream("agent", { input, streamMode: "events" });
  const names = new Set(data(parts, "events").map((record) => record.event));
  for (const name of ["on_chain_start", "on_chain_end", "on_chat_model_start", "on_chat_model_stream", "on_chat_model_end"])
    assert.ok(names.has(name), name);
});

test("tasks, checkpoints, debug and custom", async () => {
  const parts = await stream("three_nodes", { input: { steps: [] }, streamMode: ["tasks", "checkpoints"] });
  const step = ["tasks", "tasks", "checkpoints"];
  assert.deepEqual(events(parts), ["metadata", "checkpoints", "checkpoints", ...step, ...step, ...step]);
  const thread = await newThread();
  const debug = await stream("three_nodes", { input: { steps: [] }, streamMode: "debug" }, thread);
  const shown = data(debug, "debug").filter((record) => record.type === "checkpoint").map((record) => record.payload.checkpoint);
  const history = await server.client.threads.getHistory(thread);
  assert.deepEqual(shown.reverse(), history.map((state) => state.checkpoint));
  const custom = await stream("custom_stream", { input: { count: 1 }, streamMode: "custom" });
  assert.deepEqual(data(custom, "custom"), [{ from: "sync", index: 0 }, { from: "async", index: 0 }, "plain text ✓"]);
});

test("subgraphs", async () => {
  const options = { input: {}, streamMode: ["values", "updates"] };
  assert.deepEqual(kinds(await stream("subgraph", options)), ["metadata", "updates", "values"]);
  const parts = await stream("subgraph", { ...options, streamSubgraphs: true });
  const inner = kinds(parts).filter((name) => name.includes("|"));
  assert.equal(inner.length, 2);
  assert.match(inner[0], /^updates\|child:[0-9a-f-]{36}$/);
  assert.equal(inner[1], inner[0].replace("updates", "values"));
});

test("interrupt and resume", async () => {
  const thread = await newThread();
  const asked = await stream("human", { input: { topic: "x" }, streamMode: ["values", "updates"] }, thread);
  const [question] = data(asked, "updates").at(-1).__interrupt__;
  assert.equal(question.value.question, "Is this plan good?");
  const answered = await stream("human", { input: null, command: { resume: "ok" }, streamMode: "updates" }, thread);
  assert.deepEqual(data(answered, "updates"), [{ review: { answer: "ok" } }, { done: { result: "a plan for x: ok" } }]);
});

test("errors are the last frame", async () => {
  const parts = await stream("raises", { input: {}, streamMode: "values" });
  assert.deepEqual(parts.at(-1).data, { error: "CustomError", message: "Boo!" });
  assert.equal(parts.at(-1).event, "error");
  await assert.rejects(stream("nope", { input: {} }), /No assistant found for/);
});

test("stateless streams", async () => {
  const created = [];
  const parts = await all(
    server.client.runs.stream(null, "three_nodes", { input: { steps: [] }, streamMode: "updates", onRunCreated: (run) => created.push(run.run_id) }),
  );
  assert.deepEqual(events(parts), ["metadata", "updates", "updates", "updates"]);
  assert.deepEqual(created, [parts[0].data.run_id]);
  assert.deepEqual(await all(server.client.runs.joinStream(null, created[0], { lastEventId: "-1" })), parts);
});

test("joined streams equal their source", async () => {
  const { runs } = server.client;
  const thread = await newThread();
  const gate = server.gate();
  const source = runs.stream(thread, "slow", { input: { gate }, streamMode: ["values", "custom"], streamResumable: true });
  const first = (await source.next()).value;
  const run = first.data.run_id;
  const joins = (...ids) => ids.map((lastEventId) => all(runs.joinStream(thread, run, { lastEventId })));
  const joined = joins("-1", "-1");
  await assert.rejects(joins("99")[0], /Last-Event-ID: must be the id of a frame of this run/);
  await until(async () => (await server.client.threads.getState(thread)).next[0] === "second", "the second node");
  joined.push(...joins("1"));
  server.open(gate);
  const whole = [first, ...(await all(source))];
  const [one, two, rest] = await Promise.all(joined);
  assert.deepEqual(one, whole);
  assert.deepEqual(two, whole);
  assert.deepEqual(rest, whole.slice(2));
  assert.deepEqual(whole.map((part) => part.id), whole.map((_, n) => String(n)));
  const values = await all(runs.joinStream(thread, run, { lastEventId: "-1", streamMode: ["values"] }));
  assert.deepEqual(values, whole.filter((part) => part.event !== "custom"));
});

test("a client that leaves may cancel", async () => {
  const { runs } = server.client;
  const thread = await newThread();
  const leave = new AbortController();
  const source = runs.stream(thread, "slow", { input: { gate: server.gate() }, onDisconnect: "cancel", signal: leave.signal });
  const run = (await source.next()).value.data.run_id;
  leave.abort();
  await until(async () => (await runs.get(thread, run)).status === "interrupted", "the cancel");
});

test("a cancel ends the stream", async () => {
  const { runs } = server.client;
  const thread = await newThread();
  const source = runs.stream(thread, "slow", { input: { gate: server.gate() }, streamMode: "custom" });
  const seen = [];
  for await (const part of source) {
    seen.push(part);
    if (part.data?.node === "second") await runs.cancel(thread, seen[0].data.run_id, true);
  }
  assert.deepEqual(events(seen), ["metadata", "custom", "custom"]);
  assert.equal((await runs.get(thread, seen[0].data.run_id)).status, "interrupted");
});
