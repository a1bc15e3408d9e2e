// Runs by the JavaScript client: waiting, resuming, forking, cancelling and double texting.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { until, useServer } from "./server.mjs";

const server = useServer();
const steps = { steps: [] };
const done = { steps: ["a", "b", "c"] };

const newThread = async () => (await server.client.threads.create()).thread_id;

// Starts a run that is held in its second node until the gate exists.
async function held(thread, gate) {
  const { run_id } = await server.client.runs.create(thread, "slow", { input: { gate } });
  await until(async () => (await server.client.threads.getState(thread)).next[0] === "second", "the second node");
  return run_id;
}

const status = async (thread, run) => (await server.client.runs.get(thread, run)).status;

test("wait, join, list, get, delete", async () => {
  const { runs } = server.client;
  const thread = await newThread();
  const created = [];
  assert.deepEqual(await runs.wait(thread, "three_nodes", { input: steps, onRunCreated: (run) => created.push(run) }), done);
  const [run] = await runs.list(thread);
  assert.deepEqual(created, [{ run_id: run.run_id, thread_id: thread }]);
  assert.equal(run.status, "success");
  assert.deepEqual(await runs.join(thread, run.run_id), done);
  assert.deepEqual(await runs.get(thread, run.run_id), run);
  assert.deepEqual(await runs.list(thread, { status: "error" }), []);
  assert.deepEqual(await runs.list(thread, { select: ["run_id"] }), [{ run_id: run.run_id }]);
  await runs.delete(thread, run.run_id);
  await assert.rejects(runs.get(thread, run.run_id), /HTTP 404/);
});

test("stateless runs and batches", async () => {
  const { runs } = server.client;
  const created = [];
  assert.deepEqual(await runs.wait(null, "three_nodes", { input: steps, onRunCreated: (run) => created.push(run) }), done);
  assert.equal(created.length, 1);
  const batch = await runs.createBatch([1, 2, 3].map((count) => ({ assistantId: "counter", input: { count } })));
  const values = await Promise.all(batch.map((run) => runs.join(run.thread_id, run.run_id)));
  assert.deepEqual(values.map((value) => value.count), [2, 3, 4]);
});

test("config, context and a missing thread", async () => {
  const { runs } = server.client;
  assert.equal((await runs.wait(null, "counter", { input: {}, context: { step: 5 } })).count, 5);
  const config = { configurable: { greeting: "moin" } };
  assert.equal((await runs.wait(null, "factory_config", { input: { name: "x" }, config })).said, "moin x");
  const missing = randomUUID();
  await assert.rejects(runs.wait(missing, "three_nodes", { input: steps }), /HTTP 404/);
  assert.deepEqual(await runs.wait(missing, "three_nodes", { input: steps, ifNotExists: "create" }), done);
});

test("interrupt and resume", async () => {
  const { runs, threads } = server.client;
  const thread = await newThread();
  const asked = await runs.wait(thread, "human", { input: { topic: "x" } });
  const [question] = asked.__interrupt__;
  const record = await threads.get(thread);
  assert.equal(record.status, "interrupted");
  assert.deepEqual(Object.values(record.interrupts), [[question]]);
  const answered = await runs.wait(thread, "human", { command: { resume: { [question.id]: "yes" } } });
  assert.equal(answered.result, "a plan for x: yes");
  assert.equal((await threads.get(thread)).status, "idle");
});

test("breakpoints, goto, update and forks", async () => {
  const { runs, threads } = server.client;
  const thread = await newThread();
  await runs.wait(thread, "three_nodes", { input: steps, interruptBefore: ["b"] });
  const paused = await threads.getState(thread);
  assert.deepEqual([paused.next, paused.values], [["b"], { steps: ["a"] }]);
  assert.deepEqual(await runs.wait(thread, "three_nodes", { input: null }), done);
  const jumped = await runs.wait(thread, "three_nodes", { command: { goto: "c", update: { steps: ["x"] } } });
  assert.deepEqual(jumped.steps, ["a", "b", "c", "x", "c"]);
  const forked = await runs.wait(thread, "three_nodes", { input: null, checkpoint: paused.checkpoint });
  assert.deepEqual(forked, done);
  const old = await runs.wait(thread, "three_nodes", { input: null, checkpointId: paused.checkpoint.checkpoint_id });
  assert.deepEqual(old, done);
});

test("failing graphs", async () => {
  const { runs, threads } = server.client;
  const thread = await newThread();
  await assert.rejects(runs.wait(thread, "raises", { input: {} }), /CustomError: Boo!/);
  const record = await threads.get(thread);
  assert.deepEqual([record.status, record.error], ["error", { error: "CustomError", message: "Boo!" }]);
  const kept = await runs.wait(thread, "raises", { input: {}, raiseError: false });
  assert.deepEqual(kept, { __error__: { error: "CustomError", message: "Boo!" } });
  await assert.rejects(runs.wait(thread, "recursion", { input: {}, config: { recursion_limit: 1 } }), /GraphRecursionError/);
  await assert.rejects(runs.wait(thread, "nope", { input: {} }), /No assistant found for/);
});

test("cancel", async () => {
  const { runs, threads } = server.client;
  const thread = await newThread();
  const run = await held(thread, server.gate());
  await runs.cancel(thread, run, true);
  assert.equal(await status(thread, run), "interrupted");
  assert.equal((await threads.get(thread)).status, "interrupted");
  const other = await newThread();
  const rolled = await held(other, server.gate());
  await runs.cancel(other, rolled, true, "rollback");
  await assert.rejects(runs.get(other, rolled), /HTTP 404/);
  assert.deepEqual(await threads.getHistory(other), []);
});

test("a cancelled pending run lets the state be updated", async () => {
  const { runs, threads } = server.client;
  const thread = await newThread();
  await runs.wait(thread, "three_nodes", { input: steps });
  const { run_id } = await runs.create(thread, "three_nodes", { input: steps, afterSeconds: 600 });
  assert.equal(await status(thread, run_id), "pending");
  await assert.rejects(threads.updateState(thread, { values: steps }), /HTTP 409/);
  await runs.cancel(thread, run_id);
  await runs.join(thread, run_id);
  assert.deepEqual([await status(thread, run_id), (await threads.get(thread)).status], ["interrupted", "idle"]);
  await threads.updateState(thread, { values: { steps: ["x"] }, asNode: "c" });
});

test("bulk cancel", async () => {
  const { runs } = server.client;
  const thread = await newThread();
  const made = await Promise.all([1, 2].map(() => runs.create(thread, "three_nodes", { input: steps, afterSeconds: 600 })));
  await runs.cancelMany({ threadId: thread, runIds: [made[0].run_id] });
  assert.deepEqual(await Promise.all(made.map((run) => status(thread, run.run_id))), ["interrupted", "pending"]);
  await runs.cancelMany({ threadId: thread, runIds: [made[1].run_id], action: "rollback" });
  await assert.rejects(runs.get(thread, made[1].run_id), /HTTP 404/);
});

for (const [strategy, first, messages] of [
  ["enqueue", "success", ["first", "second", "third", "a", "b", "c"]],
  ["interrupt", "interrupted", ["first", "a", "b", "c"]],
  ["rollback", null, ["a", "b", "c"]],
]) {
  test(`multitask: ${strategy}`, async () => {
    const { runs } = server.client;
    const thread = await newThread();
    const gate = server.gate();
    const earlier = await held(thread, gate);
    const { run_id } = await runs.create(thread, "three_nodes", { input: steps, multitaskStrategy: strategy });
    if (strategy === "enqueue") server.open(gate);
    assert.deepEqual((await runs.join(thread, run_id)).steps, messages);
    if (first === null) await assert.rejects(runs.get(thread, earlier), /HTTP 404/);
    else assert.equal(await status(thread, earlier), first);
  });
}

test("multitask: reject", async () => {
  const { runs } = server.client;
  const thread = await newThread();
  const gate = server.gate();
  const earlier = await held(thread, gate);
  await assert.rejects(runs.create(thread, "three_nodes", { input: steps, multitaskStrategy: "reject" }), /HTTP 409.*already running/s);
  server.open(gate);
  assert.deepEqual((await runs.join(thread, earlier)).steps, ["first", "second", "third"]);
  assert.equal((await runs.list(thread)).length, 1);
});
