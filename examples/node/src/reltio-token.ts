/**
 * Reltio's access token from AWS Secrets Manager, for fetch.
 *
 *     const reltio = reltioFetch({ secretId: "reltio-token-rotator/STACK/default/token" });
 *     const response = await reltio("https://dev.reltio.com/reltio/api/TENANT/entities");
 */
import { Token, TokenSource, type TokenOptions } from "./token-source.js";

export { Token, TokenSource, type TokenOptions };

export interface FetchOptions {
  /** Sends the requests; the global fetch if it is left out. */
  fetch?: typeof fetch;
}

/**
 * Returns a fetch that sends the current token. On a 401 it gets another token and sends the request
 * once more, unless the body is a stream, which cannot be sent again: then the 401 comes back, as it
 * does where no other token is to be had. Make one in a process.
 */
export function reltioFetch(options: TokenOptions & FetchOptions): typeof fetch {
  const source = new TokenSource(options);
  const send = options.fetch ?? fetch;
  return async (input, init) => {
    const token = await source.token();
    const refused = await send(input, authorised(input, init, token));
    // A redirected request's 401 may be another host's, which fetch did not give the token.
    if (refused.status !== 401 || refused.redirected) {
      return refused;
    }
    const search = source.replacement(token);
    if (!replayable(input, init)) {
      return refused; // the search goes on, for the next request
    }
    const other = await unlessAborted(search, init?.signal ?? (input instanceof Request ? input.signal : null));
    if (other === undefined) {
      return refused;
    }
    await refused.body?.cancel();
    const response = await send(input, authorised(input, init, other));
    if (response.status === 401 && !response.redirected) {
      source.refusedAgain(token);
    }
    return response;
  };
}

function authorised(input: Parameters<typeof fetch>[0], init: RequestInit | undefined, token: Token): RequestInit {
  const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : {}));
  headers.set("Authorization", `Bearer ${token.reveal()}`);
  return { ...init, headers };
}

function replayable(input: Parameters<typeof fetch>[0], init: RequestInit | undefined): boolean {
  const body: unknown = init?.body ?? (input instanceof Request ? input.body : null);
  return (
    body === null ||
    body === undefined ||
    typeof body === "string" ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body) ||
    body instanceof URLSearchParams ||
    body instanceof Blob ||
    body instanceof FormData
  );
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | null): Promise<T> {
  if (signal === null) {
    return work;
  }
  signal.throwIfAborted();
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
