// What the page's codec makes of frames: one in hexadecimal a line from stdin, one verdict in JSON a line to stdout.
// tests/web/test_terminal_fuzz.py compares it with what runtime_agent/protocol.py makes of the same bytes.
import { createInterface } from "node:readline";
import { decode, encode, ProtocolError } from "../src/js/terminal/codec.js";

const hex = (bytes) => Buffer.from(bytes).toString("hex");

function verdict(frame) {
  try {
    const { kind, fields, data } = decode(frame);
    return [kind, fields.map(String), hex(data), hex(encode(kind, fields, data))];
  } catch (error) {
    return error instanceof ProtocolError ? error.reason : `crashed: ${error}`;
  }
}

const verdicts = [];
for await (const line of createInterface({ input: process.stdin })) verdicts.push(JSON.stringify(verdict(Buffer.from(line, "hex"))));
process.stdout.write(`${verdicts.join("\n")}\n`);
