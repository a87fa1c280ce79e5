// Gradio's page hears the answers to its requests on a stream, which the server ends once all are answered. If the word
// of that end comes later than the receipt for the next request, which has a connection of its own, the page has taken
// the stream for open, shuts it, and never hears the answer to that request. So the page is told of the end only where
// no request is open; otherwise the next stream goes on where this one has ended.
const STREAM = /\/queue\/data$/;
const REQUEST = /\/queue\/join$/;

// Requests that are not answered yet.
class Requests {
  open = new Set(); // with a receipt
  sent = new Set(); // without one
  answered = new Set(); // whose last answer came before the receipt

  // What is sent, once its receipt is here and noted.
  send(receipt) {
    const noted = this.note(receipt);
    const forget = () => this.sent.delete(noted);
    this.sent.add(noted);
    noted.then(forget, forget);
    return noted;
  }

  async note(receipt) {
    const answer = await receipt;
    if (answer.ok) {
      const { event_id } = await answer.clone().json();
      if (!this.answered.delete(event_id)) this.open.add(event_id);
    }
    return answer;
  }

  // Take note of a message of the stream; whether it is the last one.
  async hears({ msg, event_id }) {
    if (msg === "process_completed" && !this.open.delete(event_id)) this.answered.add(event_id);
    if (msg !== "close_stream") return false;
    while (this.sent.size) await Promise.allSettled([...this.sent]);
    return true;
  }
}

// Messages of a stream, without the empty line after each.
async function* messages(stream) {
  const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const whole = (rest + value).split("\n\n");
      rest = whole.pop();
      yield* whole;
    }
  } finally {
    await reader.cancel().catch(() => null);
  }
}

// What all streams tell, as one.
async function* heard(requests, first, next) {
  let isOver = false;
  try {
    for (let stream = first; stream; ) {
      let another = null;
      for await (const message of messages(stream)) {
        const ends = await requests.hears(JSON.parse(message.slice("data:".length)));
        isOver = ends && !requests.open.size;
        if (!ends || isOver) yield `${message}\n\n`;
        if (isOver) return;
        if (ends) another = next;
      }
      stream = await another?.();
    }
  } finally {
    if (!isOver) requests.open.clear(); // nobody listens any more, and so the server drops them
  }
}

const asBody = (parts) =>
  new ReadableStream({
    async pull(body) {
      const { value, done } = await parts.next();
      if (done) body.close();
      else body.enqueue(value);
    },
    cancel: () => parts.return(),
  }).pipeThrough(new TextEncoderStream());

// `fetch`, with which no answer is missed.
export const hearingAll = (fetch) => {
  const requests = new Requests();

  const hear = async (...asked) => {
    const next = () => fetch(...asked);
    const first = await next();
    return first.ok ? new Response(asBody(heard(requests, first, next)), first) : first;
  };

  return (...asked) => {
    const { pathname } = new URL(asked[0].url ?? asked[0], "http://page");
    if (STREAM.test(pathname)) return hear(...asked);
    return REQUEST.test(pathname) ? requests.send(fetch(...asked)) : fetch(...asked);
  };
};
