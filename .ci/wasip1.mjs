// Runs a WASI program, for go test -exec: node .ci/wasip1.mjs program args...
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [program, ...args] = process.argv.slice(2);
const wasi = new WASI({
  version: "preview1",
  args: [program, ...args],
  env: { ...process.env, PWD: process.cwd() },
  preopens: { "/": "/" },
});
// The program's exit ends the process at once: Node 20 crashes when it unwinds
// a program that has run for long, and in its own teardown.
const imports = wasi.getImportObject();
imports.wasi_snapshot_preview1.proc_exit = (status) => process.reallyExit(status);
const module = await WebAssembly.compile(await readFile(program));
wasi.start(await WebAssembly.instantiate(module, imports));
