#!/usr/bin/env node
// Reports what it reads, JSON lines such as {"epoch": 1, "loss": 0.5}, to the agent, each exactly once.
import { randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";

const encode = (message) =>
  JSON.stringify(message, (_, value) => (typeof value === "number" && !isFinite(value) ? `${value}` : value)) + "\n";

/** Emits "stop" with the reason, and "kept" when some of `unkept` may be. */
class Client extends EventEmitter {
  #path = process.env.EXPERIMENTS_SOCKET || `${process.env.EXPERIMENTS_DIR || "/experiments"}/agent.sock`;
  #hello = { client: randomBytes(8).toString("hex"), program: process.argv[1], pid: process.pid };
  #number = 0;
  #agent; // the connection, or what is left of it for a second
  unkept = new Map(); // number to line, in order

  report({ epoch, step, time, checkpoint, ...metrics }) {
    const number = ++this.#number;
    if (this.unkept.size >= 65_536) this.unkept.delete(this.unkept.keys().next().value); // the oldest
    this.unkept.set(number, encode({ report: { number, epoch, step, time, checkpoint, metrics } }));
    if (this.welcome) this.#agent.write(this.unkept.get(number));
    else if (!this.#agent) this.connect();
  }

  connect() {
    if (this.#path === "none") return void (this.report = () => {}); // nothing is to be reported
    this.#agent = createConnection(this.#path, () => this.#agent.write(encode({ hello: this.#hello })));
    this.#agent.on("error", () => {}).on("close", () => setTimeout(() => this.#reconnect(), 1000));
    const lines = createInterface(this.#agent); // has the error once more
    lines.on("error", () => {}).on("line", (line) => this.#hear(JSON.parse(line)));
  }

  #reconnect() {
    this.#agent = this.welcome = undefined;
    if (this.unkept.size > 0) this.connect();
  }

  #hear({ welcome, kept, stop, rejected }) {
    const last = welcome?.kept ?? kept?.number ?? 0;
    for (const number of this.unkept.keys()) if (number <= last) this.unkept.delete(number); else break;
    if (welcome) for (const line of this.unkept.values()) this.#agent.write(line);
    this.welcome ??= welcome;
    if (rejected) console.warn(rejected);
    if (rejected?.code === "client-id-taken") this.#agent.destroy(); // and try again
    if (rejected?.code === "version-not-spoken") [this.report, this.unkept] = [() => {}, new Map()];
    this.emit("kept");
    if (stop ?? welcome?.stop) this.emit("stop", (stop ?? welcome.stop).reason ?? "");
  }
}

const client = new Client();
client.once("stop", (reason) => console.log(`stop: ${reason}`));
client.connect();
for await (const line of createInterface(process.stdin)) client.report(JSON.parse(line));
while (client.unkept.size > 0) await once(client, "kept");
process.exit();
