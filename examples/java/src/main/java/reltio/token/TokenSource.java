package reltio.token;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.lambda.LambdaClient;
import software.amazon.awssdk.services.secretsmanager.SecretsManagerClient;
import software.amazon.awssdk.services.secretsmanager.model.GetSecretValueResponse;

/**
 * Gives the current access token. A JVM needs one for each token secret; any number of threads may
 * use it. While one thread reads the secret or searches for a new token, the others wait for it.
 *
 * <p>{@link ReltioClient} does with it what a job needs. For another HTTP client: send {@link
 * #token}; on a 401 ask for the {@link #replacement} and send the request once more with that; where
 * it is refused as well, call {@link #refusedAgain}.
 */
public final class TokenSource {
    private static final Logger LOG = System.getLogger(TokenSource.class.getName());

    /** How long a token is used without reading the secret again. */
    private static final Duration MAX_AGE = Duration.ofMinutes(5);
    /** The pause between reads past valid_until, and after a read that failed. */
    private static final Duration READ_INTERVAL = Duration.ofSeconds(10);
    /** How long the secret may lag behind a refresh. */
    private static final Duration PATIENCE = Duration.ofSeconds(5);
    /** How often one refused token is searched for and reported. */
    private static final Duration SEARCH_INTERVAL = Duration.ofMinutes(1);
    /** How long nothing is reported after a token that a report brought was refused as well. */
    private static final Duration MUTE_INTERVAL = Duration.ofMinutes(15);

    private static final Duration READ_TIMEOUT = Duration.ofSeconds(10);
    private static final Duration REPORT_TIMEOUT = Duration.ofSeconds(30);

    private final SecretsManagerClient secrets;
    private final String secretId;
    private final LambdaClient functions;
    private final String function;
    private final Clock clock;

    private final ReentrantLock lock = new ReentrantLock();
    private Token current;
    private Instant readAgain = Instant.MIN;
    /** The fingerprint of the last refused token, which is not used again without a read. */
    private String refused = "";
    private Instant searchAgain = Instant.MIN;
    private String reported = "";
    private Instant mutedUntil = Instant.MIN;

    /** A source that reports nothing. */
    public TokenSource(SecretsManagerClient secrets, String secretId) {
        this(secrets, secretId, null, null, Clock.systemUTC());
    }

    /** A source that reports refused tokens to the rotator's function, the output FunctionName. */
    public TokenSource(SecretsManagerClient secrets, String secretId, LambdaClient functions, String function) {
        this(secrets, secretId, Objects.requireNonNull(functions), Objects.requireNonNull(function), Clock.systemUTC());
    }

    TokenSource(SecretsManagerClient secrets, String secretId, LambdaClient functions, String function, Clock clock) {
        this.secrets = Objects.requireNonNull(secrets);
        this.secretId = Objects.requireNonNull(secretId);
        this.functions = functions;
        this.function = function;
        this.clock = clock;
    }

    /**
     * The token to use now.
     *
     * @throws SdkException when the secret cannot be read
     * @throws IllegalStateException when the secret holds no token
     */
    public Token token() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            Instant now = clock.instant();
            boolean serves = current != null && !current.fingerprint().equals(refused);
            if (serves && now.isBefore(readAgain)) {
                return current;
            }
            try {
                return read();
            } catch (SdkException | IllegalStateException e) {
                if (!serves || !now.isBefore(current.expiresAt())) {
                    throw e;
                }
                LOG.log(Level.WARNING, "the token secret could not be read; its last token serves: " + e.getMessage());
                readAgain = earlier(now.plus(READ_INTERVAL), current.expiresAt());
                return current;
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Another token than one that was refused, or null where there is none. It reads the secret for
     * up to five seconds, since the old token ends an instant before the new one is written; then it
     * reports the token and reads for five seconds more. It searches for each token once a minute at
     * most; in between it reads once.
     */
    public Token replacement(Token token) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            if (current != null && !current.same(token)) {
                return current;
            }
            Instant now = clock.instant();
            if (refused.equals(token.fingerprint()) && now.isBefore(searchAgain)) {
                return other(token);
            }
            refused = token.fingerprint();
            searchAgain = now.plus(SEARCH_INTERVAL);
            Token other = search(token);
            if (other == null && function != null && !now.isBefore(mutedUntil)) {
                reported = refused;
                report(token);
                other = search(token);
            }
            return other;
        } catch (SdkException | IllegalStateException e) {
            LOG.log(Level.WARNING, "a token was refused, and: " + e.getMessage());
            return null;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes note that the replacement of a refused token was refused as well. Where a report brought
     * it, the 401 has another cause, and more reports would end good tokens.
     */
    public void refusedAgain(Token token) {
        lock.lock();
        try {
            if (reported.equals(token.fingerprint())) {
                mutedUntil = clock.instant().plus(MUTE_INTERVAL);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Reads until the secret holds another token; null if it does not in time. */
    private Token search(Token token) throws InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        for (long pause = 125; ; pause = Math.min(2 * pause, 1000)) {
            boolean last = System.nanoTime() + pause * 1_000_000 > deadline;
            try {
                Token other = other(token);
                if (other != null || last) {
                    return other;
                }
            } catch (SdkException | IllegalStateException e) {
                if (last) {
                    throw e;
                }
            }
            Thread.sleep(pause);
        }
    }

    private Token other(Token token) {
        Token other = read();
        return other.same(token) ? null : other;
    }

    private Token read() {
        Instant now = clock.instant();
        GetSecretValueResponse secret = secrets.getSecretValue(request -> request
                .secretId(secretId)
                .versionStage("AWSCURRENT")
                .overrideConfiguration(o -> o.apiCallTimeout(READ_TIMEOUT)));
        current = Token.parse(String.valueOf(secret.secretString()), secret.name());
        readAgain = now.isBefore(current.validUntil())
                ? earlier(now.plus(MAX_AGE), current.validUntil())
                : now.plus(READ_INTERVAL);
        readAgain = earlier(readAgain, current.expiresAt());
        return current;
    }

    private void report(Token token) {
        String event = "{\"action\":\"refresh\",\"connections\":[\"" + token.connection() + "\"],\"dead_token\":\""
                + token.fingerprint() + "\"}";
        functions.invoke(request -> request
                .functionName(function)
                .qualifier("report")
                .payload(SdkBytes.fromUtf8String(event))
                .overrideConfiguration(o -> o.apiCallTimeout(REPORT_TIMEOUT)));
    }

    private static Instant earlier(Instant a, Instant b) {
        return a.isBefore(b) ? a : b;
    }
}
