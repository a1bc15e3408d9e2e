// A server of its own over a copy of a folder of graphs, for the tests of one file.
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { Client } from "@langchain/langgraph-sdk";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const GUARD_MS = 30_000;

// Waits for the first true value of `ready`, which may be asynchronous.
export async function until(ready, what) {
  const end = Date.now() + GUARD_MS;
  for (;;) {
    const value = await ready();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${GUARD_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// All that an asynchronous generator gives.
export async function all(parts) {
  const out = [];
  for await (const part of parts) out.push(part);
  return out;
}

// Registers hooks that start a server before the file's tests and end it after them. What it returns
// has `client` and `url` once the tests run, and makes gates: files that hold a node until they exist.
export function useServer() {
  const server = { output: "", url: "", client: null, gate, open: (file) => writeFileSync(file, "") };
  let folder;
  let child;
  let gates = 0;

  function gate() {
    return path.join(folder, `gate-${++gates}`);
  }

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "duragraph-js-"));
    const project = path.join(folder, "project");
    const own = (source) => !/\/(__pycache__|\.duragraph)(\/|$)/.test(source);
    cpSync(path.join(root, "tests/graphs"), project, { recursive: true, filter: own });
    const python = process.env.DURAGRAPH_TEST_PYTHON ?? path.join(root, "build/test-env/bin/python");
    const bin = path.dirname(python);
    child = spawn(
      process.env.DURAGRAPH_BIN ?? path.join(root, "bin/duragraph"),
      ["dev", project, "--port", "0", "--no-browser", "--no-reload"],
      { env: { ...process.env, VIRTUAL_ENV: path.dirname(bin), PATH: `${bin}:${process.env.PATH}` }, stdio: ["ignore", "pipe", "pipe"] },
    );
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (server.output += text));
    const notice = path.join(project, ".duragraph/server.json");
    server.url = await until(() => {
      if (child.exitCode !== null) throw new Error(`the server has ended:\n${server.output}`);
      return existsSync(notice) && JSON.parse(readFileSync(notice, "utf8")).url;
    }, "the server's address");
    server.client = new Client({ apiUrl: server.url });
    await until(async () => {
      const { workers } = await (await fetch(`${server.url}/api/v1/workers`)).json();
      return workers.some((worker) => worker.connected);
    }, "a worker");
  });

  after(async () => {
    if (child.exitCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(timer);
    }
    rmSync(folder, { recursive: true, force: true });
  });

  return server;
}
