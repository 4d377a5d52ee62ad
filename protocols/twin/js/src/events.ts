// Server-sent events over fetch, so that the Authorization field goes along, which EventSource cannot do.

/** One event as it came. */
export interface RawEvent {
  event: string;
  data: string;
  id: string;
}

/** Characters of an event at most: a hub that sends more is none of ours. */
const MOST = 16 << 20;

/** The events of a stream (HTML, §9.2.6). Comments and what has no data are left out. */
export async function* parse(body: ReadableStream<Uint8Array>): AsyncGenerator<RawEvent> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  let [event, data, id] = ["", "", ""];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += value;
      if (rest.length + data.length > MOST) throw new Error("An event is too large.");
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "") {
          if (data !== "") yield { event: event || "message", data: data.slice(0, -1), id };
          [event, data] = ["", ""];
          continue;
        }
        const colon = line.indexOf(":");
        const name = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (name === "event") event = text;
        else if (name === "data") data += `${text}\n`;
        else if (name === "id") id = text;
      }
    }
  } finally {
    // Whoever stops listening ends the stream, too.
    await reader.cancel().catch(() => {});
  }
}
