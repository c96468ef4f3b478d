// The browser's side of runtime_agent/protocol/terminal_codec.py, byte for byte; DOM-free, tested on the same golden frames.
// Integers are big-endian; every u64 is a BigInt, smaller fields are numbers.
export const VERSION = 1;
export const READ_ONLY = 1;
export const MAX_INPUT_BYTES = 16 * 1024;
export const MAX_OUTPUT_CHUNK_BYTES = 64 * 1024;
export const ACK_EVERY_BYTES = 32 * 1024;
export const MAX_SIZE = 500;
export const FROM_RING_START = (1n << 64n) - 1n;

export const Frame = Object.freeze({
  HELLO: 0x01, INPUT: 0x02, ACK: 0x03, RESIZE: 0x04, BYE: 0x05, PING: 0x06,
  OUTPUT: 0x81, EXIT: 0x82, WELCOME: 0x83, INPUT_ACK: 0x84, REPLAY: 0x85, SKIPPED: 0x86, NOTICE: 0x87, PONG: 0x88,
});

export const Close = Object.freeze({
  BAD_FRAME: 4400, SIGNED_OUT: 4401, NOT_FOUND: 4404, ENDED: 4410, FRAME_TOO_LARGE: 4413, BUSY: 4503,
});

export class ProtocolError extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

// One letter per field, as in Python's struct: B u8, H u16, Q u64, i i32.
const LAYOUT = {
  [Frame.HELLO]: "BBQQHH", [Frame.ACK]: "Q", [Frame.RESIZE]: "HH", [Frame.EXIT]: "Qi", [Frame.WELCOME]: "QQQQ",
  [Frame.INPUT_ACK]: "Q", [Frame.SKIPPED]: "QQ", [Frame.BYE]: "", [Frame.PING]: "Q", [Frame.PONG]: "Q",
};
const WITH_BYTES = {
  [Frame.INPUT]: MAX_INPUT_BYTES, [Frame.OUTPUT]: MAX_OUTPUT_CHUNK_BYTES, [Frame.REPLAY]: MAX_OUTPUT_CHUNK_BYTES,
};
const SIZE = { B: 1, H: 2, Q: 8, i: 4 };
const GET = { B: "getUint8", H: "getUint16", Q: "getBigUint64", i: "getInt32" };
const SET = { B: "setUint8", H: "setUint16", Q: "setBigUint64", i: "setInt32" };
const KINDS = new Set(Object.values(Frame));

const layoutSize = (layout) => [...layout].reduce((sum, letter) => sum + SIZE[letter], 0);

export function encode(kind, fields = [], data = new Uint8Array()) {
  const layout = kind in WITH_BYTES ? "Q" : kind === Frame.NOTICE ? "" : LAYOUT[kind];
  const head = 1 + layoutSize(layout);
  const frame = new Uint8Array(head + data.length);
  const view = new DataView(frame.buffer);
  frame[0] = kind;
  let at = 1;
  [...layout].forEach((letter, index) => {
    view[SET[letter]](at, letter === "Q" ? BigInt(fields[index]) : Number(fields[index]));
    at += SIZE[letter];
  });
  frame.set(data, head);
  return frame;
}

export function decode(frame) {
  if (!frame.length) throw new ProtocolError("empty");
  const kind = frame[0];
  if (!KINDS.has(kind)) throw new ProtocolError("unknown-type");
  const body = frame.subarray(1);
  if (kind === Frame.NOTICE) return { kind, fields: [], data: body };
  const limit = WITH_BYTES[kind];
  if (limit !== undefined) {
    if (body.length <= 8) throw new ProtocolError("wrong-length");
    if (body.length - 8 > limit) throw new ProtocolError("too-large");
  } else if (body.length !== layoutSize(LAYOUT[kind])) throw new ProtocolError("wrong-length");
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let at = 0;
  const fields = [...(limit === undefined ? LAYOUT[kind] : "Q")].map((letter) => {
    const value = view[GET[letter]](at);
    at += SIZE[letter];
    return value;
  });
  return { kind, fields, data: body.subarray(at) };
}

export const clampSize = (rows, cols) => [rows, cols].map((n) => Math.max(1, Math.min(n, MAX_SIZE)));
