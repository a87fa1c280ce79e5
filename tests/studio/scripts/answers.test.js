import assert from "node:assert/strict";
import { test } from "node:test";
import { hearingAll } from "../../../var_studio/static/scripts/page/answers.js";

const HOST = "http://studio/gradio_api/queue/";
const CLOSE = { msg: "close_stream", event_id: null };
const done = (id) => ({ msg: "process_completed", event_id: id, output: { data: ["a\n\nß"] } });

// All that is on its way has arrived.
const arrived = async () => {
  for (let turn = 0; turn < 30; turn++) await new Promise(setImmediate);
};

// A server whose receipts and streams a test sends when it wants to.
class Server {
  receipts = [];
  streams = [];

  fetch = (path) => {
    const asked = String(path.url ?? path);
    if (asked.includes("/queue/join")) return new Promise((resolve) => this.receipts.push(resolve));
    if (!asked.includes("/queue/data")) return Promise.resolve(new Response("another"));
    const { readable, writable } = new TransformStream();
    this.streams.push(writable.getWriter());
    return Promise.resolve(new Response(readable));
  };

  // The words of a receipt come after its head.
  receipt(id) {
    const pull = async (body) => {
      await new Promise(setImmediate);
      body.enqueue(new TextEncoder().encode(JSON.stringify({ event_id: id })));
      body.close();
    };
    this.receipts.shift()(new Response(new ReadableStream({ pull })));
  }

  tell(...messages) {
    const bytes = new TextEncoder().encode(messages.map((one) => `data: ${JSON.stringify(one)}\n\n`).join(""));
    for (let start = 0; start < bytes.length; start += 7) this.streams.at(-1).write(bytes.slice(start, start + 7));
  }
}

// A page that asks, and hears one stream, as Gradio's does.
class Page {
  told = [];

  constructor(server) {
    this.fetch = hearingAll(server.fetch);
  }

  ask() {
    return this.fetch(`${HOST}join?`, { method: "POST" }).then((answer) => answer.json());
  }

  async hear() {
    const answer = await this.fetch(new Request(`${HOST}data?session_hash=anna`));
    let text = "";
    for await (const part of answer.body.pipeThrough(new TextDecoderStream())) text += part;
    this.told = text
      .split("\n\n")
      .slice(0, -1)
      .map((message) => JSON.parse(message.slice("data: ".length)));
  }
}

const together = () => {
  const server = new Server();
  return [server, new Page(server)];
};

test("a stream with nothing open after it ends as it does without us", async () => {
  const [server, page] = together();
  const receipt = page.ask();
  server.receipt("one");
  assert.deepEqual(await receipt, { event_id: "one" });
  const heard = page.hear();
  await arrived();
  server.tell({ msg: "process_starts", event_id: "one" }, done("one"), CLOSE);
  await heard;
  assert.deepEqual(page.told, [{ msg: "process_starts", event_id: "one" }, done("one"), CLOSE]);
  assert.equal(server.streams.length, 1);
});

test("the end of a stream that comes after the next receipt ends nothing: the next stream goes on", async () => {
  const [server, page] = together();
  page.ask();
  server.receipt("one");
  const heard = page.hear();
  await arrived();
  server.tell(done("one"));
  await arrived();
  page.ask();
  server.receipt("two");
  await arrived();
  server.tell(CLOSE);
  server.streams[0].close();
  await arrived();
  assert.equal(server.streams.length, 2);
  server.tell(done("two"), CLOSE);
  await heard;
  assert.deepEqual(page.told, [done("one"), done("two"), CLOSE]);
});

test("the end of a stream waits for the receipts of what was asked before it came", async () => {
  for (const refused of [false, true]) {
    const [server, page] = together();
    page.ask();
    server.receipt("one");
    const heard = page.hear();
    await arrived();
    page.ask().catch(() => null);
    server.tell(done("one"), CLOSE);
    server.streams[0].close();
    await arrived();
    assert.equal(server.streams.length, 1);
    if (refused) server.receipts.shift()(new Response("{}", { status: 503 }));
    else server.receipt("two");
    await arrived();
    assert.equal(server.streams.length, refused ? 1 : 2);
    if (!refused) server.tell(done("two"), CLOSE);
    await heard;
    assert.deepEqual(page.told, refused ? [done("one"), CLOSE] : [done("one"), done("two"), CLOSE]);
  }
});

test("an answer that comes before its receipt is not waited for", async () => {
  const [server, page] = together();
  page.ask();
  server.receipt("one");
  const heard = page.hear();
  page.ask();
  await arrived();
  server.tell(done("two"));
  await arrived();
  server.receipt("two");
  server.tell(done("one"), CLOSE);
  await heard;
  assert.deepEqual(page.told, [done("two"), done("one"), CLOSE]);
});

test("what a broken stream has left open keeps no later one from its end", async () => {
  const [server, page] = together();
  page.ask();
  server.receipt("one");
  const broken = page.hear();
  await arrived();
  server.streams[0].abort(new Error("gone"));
  await assert.rejects(broken, /gone/);
  page.ask();
  server.receipt("two");
  const heard = page.hear();
  await arrived();
  server.tell(done("two"), CLOSE);
  await heard;
  assert.deepEqual(page.told, [done("two"), CLOSE]);
});

test("what is neither asked nor heard passes as it is, and so does a stream that is refused", async () => {
  const [, page] = together();
  assert.equal(await (await page.fetch("./theme.css")).text(), "another");
  const refused = new Response("no", { status: 404 });
  const ours = hearingAll(() => Promise.resolve(refused));
  assert.equal(await ours(new URL(`${HOST}data`)), refused);
});
