import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";

import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

/** How long a token is used without reading the secret again. */
const MAX_AGE = 5 * 60_000;
/** The pause between reads past valid_until, and after a read that failed. */
const READ_INTERVAL = 10_000;
/** How long the secret may lag behind a refresh. */
const PATIENCE = 5_000;
/** How often one refused token is searched for and reported. */
const SEARCH_INTERVAL = 60_000;
/** How long nothing is reported after a token that a report brought was refused as well. */
const MUTE_INTERVAL = 15 * 60_000;
const READ_TIMEOUT = 10_000;
const REPORT_TIMEOUT = 30_000;

export interface TokenOptions {
  /** The stack's output TokenSecretName, or TokenSecretArn, which says the region as well. */
  secretId: string;
  /** The output FunctionName, to report refused tokens; the role needs ReporterPolicyArn. */
  functionName?: string;
  /** Your clients, where the SDK's default credentials or region are not the right ones. */
  secretsManager?: SecretsManagerClient;
  lambda?: LambdaClient;
  /** Takes what goes wrong behind a 401; console.warn if it is left out. */
  warn?: (message: string) => void;
}

/** An access token as the secret held it. Only reveal() shows its value. */
export class Token {
  readonly #value: string;

  constructor(
    value: string,
    /** When the rotator may end it, in milliseconds since 1970. */
    readonly validUntil: number,
    /** Never later than the truth, in milliseconds since 1970. */
    readonly expiresAt: number,
    readonly connection: string,
  ) {
    this.#value = value;
  }

  /** The token itself, for the Authorization header. */
  reveal(): string {
    return this.#value;
  }

  /** The first 16 hex digits of its SHA-256: enough to compare tokens, useless to others. */
  get fingerprint(): string {
    return createHash("sha256").update(this.#value).digest("hex").slice(0, 16);
  }

  toString(): string {
    return "[redacted]";
  }

  toJSON(): string {
    return "[redacted]";
  }

  [inspect.custom](): string {
    return "[redacted]";
  }
}

/**
 * Gives the current access token. A process needs one for each token secret; requests that run at
 * the same time share its reads, searches and reports.
 */
export class TokenSource {
  readonly #options: TokenOptions;
  readonly #secrets: SecretsManagerClient;
  readonly #lambda: LambdaClient | undefined;
  #current: Token | undefined;
  #readAgain = 0;
  #reading: Promise<Token> | undefined;
  /** The fingerprint of the last refused token, which is not used again without a read. */
  #refused = "";
  #searching: Promise<Token | undefined> | undefined;
  #searchAgain = 0;
  #reported = "";
  #mutedUntil = 0;

  constructor(options: TokenOptions) {
    this.#options = options;
    const region = options.secretId.startsWith("arn:") ? options.secretId.split(":")[3] : undefined;
    const config = region === undefined ? {} : { region };
    this.#secrets = options.secretsManager ?? new SecretsManagerClient(config);
    this.#lambda = options.functionName === undefined ? undefined : (options.lambda ?? new LambdaClient(config));
  }

  /** The token to use now. Rejects when the secret cannot be read or holds no token. */
  async token(): Promise<Token> {
    const token = this.#current?.fingerprint === this.#refused ? undefined : this.#current;
    if (token !== undefined && Date.now() < this.#readAgain) {
      return token;
    }
    try {
      return await this.#read();
    } catch (error) {
      if (token === undefined || Date.now() >= token.expiresAt) {
        throw error;
      }
      this.#warn(`the token secret could not be read; its last token serves: ${String(error)}`);
      this.#readAgain = Math.min(Date.now() + READ_INTERVAL, token.expiresAt);
      return token;
    }
  }

  /**
   * Another token than one that was refused, or undefined where there is none. It reads the secret for
   * up to five seconds, since the old token ends an instant before the new one is written; then it
   * reports the token and reads for five seconds more. It searches for each token once a minute at
   * most; in between it reads once.
   */
  async replacement(token: Token): Promise<Token | undefined> {
    if (this.#current !== undefined && this.#current.reveal() !== token.reveal()) {
      return this.#current;
    }
    const known = token.fingerprint === this.#refused;
    if (known && this.#searching !== undefined) {
      return this.#searching;
    }
    if (known && Date.now() < this.#searchAgain) {
      return this.#other(token).catch((error: unknown) => this.#unreadable(error));
    }
    this.#refused = token.fingerprint;
    this.#searchAgain = Date.now() + SEARCH_INTERVAL;
    this.#searching = this.#replace(token)
      .catch((error: unknown) => this.#unreadable(error))
      .finally(() => {
        this.#searching = undefined;
      });
    return this.#searching;
  }

  /**
   * Takes note that the replacement of a refused token was refused as well. Where a report brought
   * it, the 401 has another cause, and more reports would end good tokens.
   */
  refusedAgain(token: Token): void {
    if (token.fingerprint === this.#reported) {
      this.#mutedUntil = Date.now() + MUTE_INTERVAL;
    }
  }

  async #replace(token: Token): Promise<Token | undefined> {
    const found = await this.#search(token);
    if (found !== undefined || this.#lambda === undefined || Date.now() < this.#mutedUntil) {
      return found;
    }
    this.#reported = token.fingerprint;
    const event = { action: "refresh", connections: [token.connection], dead_token: token.fingerprint };
    await this.#lambda.send(
      new InvokeCommand({
        FunctionName: this.#options.functionName,
        Qualifier: "report",
        Payload: new TextEncoder().encode(JSON.stringify(event)),
      }),
      { abortSignal: AbortSignal.timeout(REPORT_TIMEOUT) },
    );
    return this.#search(token);
  }

  /** Reads until the secret holds another token; undefined if it does not in time. */
  async #search(token: Token): Promise<Token | undefined> {
    const deadline = performance.now() + PATIENCE;
    for (let pause = 125; ; pause = Math.min(2 * pause, 1_000)) {
      const last = performance.now() + pause > deadline;
      try {
        const other = await this.#other(token);
        if (other !== undefined || last) {
          return other;
        }
      } catch (error) {
        if (last) {
          throw error;
        }
      }
      await sleep(pause);
    }
  }

  async #other(token: Token): Promise<Token | undefined> {
    const other = await this.#read();
    return other.reveal() === token.reveal() ? undefined : other;
  }

  /** One read at a time, for everyone who asks meanwhile. */
  #read(): Promise<Token> {
    this.#reading ??= this.#fetch().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #fetch(): Promise<Token> {
    const now = Date.now();
    const secret = await this.#secrets.send(
      new GetSecretValueCommand({ SecretId: this.#options.secretId, VersionStage: "AWSCURRENT" }),
      { abortSignal: AbortSignal.timeout(READ_TIMEOUT) },
    );
    const token = parse(secret.SecretString ?? "", secret.Name ?? "");
    const next = now < token.validUntil ? Math.min(now + MAX_AGE, token.validUntil) : now + READ_INTERVAL;
    this.#current = token;
    this.#readAgain = Math.min(next, token.expiresAt);
    return token;
  }

  #unreadable(error: unknown): undefined {
    this.#warn(`a token was refused, and: ${String(error)}`);
  }

  #warn(message: string): void {
    (this.#options.warn ?? console.warn)(message);
  }
}

/** Parses the token secret's value. Its errors show nothing of it. */
function parse(document: string, secretName: string): Token {
  let fields: { access_token?: unknown; expires_at?: unknown; valid_until?: unknown } | null;
  try {
    fields = JSON.parse(document) as typeof fields;
  } catch {
    throw new Error("the token secret is not the JSON that the rotator writes");
  }
  const value = fields?.access_token;
  if (typeof value !== "string" || value === "") {
    throw new Error("the token secret has no access_token; is it the credentials secret?");
  }
  const expiresAt = Date.parse(String(fields?.expires_at));
  const validUntil = Date.parse(String(fields?.valid_until ?? fields?.expires_at));
  if (Number.isNaN(expiresAt) || Number.isNaN(validUntil)) {
    throw new Error("the token secret is not the JSON that the rotator writes");
  }
  return new Token(value, validUntil, expiresAt, secretName.split("/").at(-2) ?? ""); // PREFIX/NAME/token
}
