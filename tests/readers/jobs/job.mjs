// A job with reltioFetch. It carries out the orders of standard input: see job in fixture_test.go.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { inspect } from "node:util";

const { reltioFetch, TokenSource } = await import(process.env.RELTIO_TOKEN_JS);

if (process.env.CLOCK) { // a file with the seconds by which the clock is ahead, or =TIME where it stands
  const now = Date.now;
  Date.now = () => {
    const text = readFileSync(process.env.CLOCK, "utf8");
    return text.startsWith("=") ? 1000 * Number(text.slice(1)) : now() + 1000 * Number(text);
  };
}

let options, reltio;

async function call(what, url) {
  const init = { get: {}, text: { method: "POST", body: "body" } }[what] ?? { method: "POST", body: once(), duplex: "half" };
  try {
    const response = await reltio(url, init);
    await response.arrayBuffer();
    return response.status;
  } catch (error) {
    console.error(inspect(error, { depth: 9 }));
    return `error:${error.name}`;
  }
}

function once() {
  return new ReadableStream({
    start(stream) {
      stream.enqueue(new TextEncoder().encode("body"));
      stream.close();
    },
  });
}

async function show() {
  const source = new TokenSource(options);
  const token = await source.token();
  for (const thing of [source, token, reltio, [token], { token }]) {
    console.error(inspect(thing, { depth: 9, showHidden: true }), String(thing), `${JSON.stringify(thing)}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [order, first, url, n] = line.split(" ");
  if (order === "start") {
    options = { secretId: process.env.RELTIO_SECRET, ...(first === "-" ? {} : { functionName: first }) };
    reltio = reltioFetch(options);
    console.log("ok");
  } else if (order === "show") {
    await show();
    console.log("ok");
  } else {
    console.log((await Promise.all(Array.from({ length: Number(n) }, () => call(first, url)))).join(" "));
  }
}
process.exit(0);
