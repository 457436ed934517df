package reltio.token;

import java.io.Serializable;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.lambda.LambdaClient;
import software.amazon.awssdk.services.secretsmanager.SecretsManagerClient;

/**
 * Where the token is. It can be serialized and holds nothing secret: make it on Spark's driver and
 * call {@link #source} or {@link #client} in the tasks. A JVM, and so an executor, gets one source
 * for equal settings.
 */
public final class TokenSettings implements Serializable {
    private static final long serialVersionUID = 1;
    private static final ConcurrentMap<TokenSettings, TokenSource> SOURCES = new ConcurrentHashMap<>();

    private final String secretId;
    private final String function;

    private TokenSettings(String secretId, String function) {
        this.secretId = Objects.requireNonNull(secretId);
        this.function = function;
    }

    /**
     * Settings that report nothing.
     *
     * @param secretId the stack's output TokenSecretName, or TokenSecretArn, which says the region
     *     as well
     */
    public static TokenSettings of(String secretId) {
        return new TokenSettings(secretId, null);
    }

    /** The same settings, with refused tokens reported. The role needs ReporterPolicyArn. */
    public TokenSettings reportingTo(String function) {
        return new TokenSettings(secretId, Objects.requireNonNull(function));
    }

    /** This JVM's source, with the SDK's default credentials. */
    public TokenSource source() {
        return SOURCES.computeIfAbsent(this, TokenSettings::make);
    }

    /** A client with this JVM's source. */
    public ReltioClient client() {
        return new ReltioClient(source());
    }

    private TokenSource make() {
        var secrets = SecretsManagerClient.builder().httpClientBuilder(UrlConnectionHttpClient.builder());
        var functions = LambdaClient.builder().httpClientBuilder(UrlConnectionHttpClient.builder());
        String[] arn = secretId.split(":");
        if (arn.length > 3) {
            secrets.region(Region.of(arn[3]));
            functions.region(Region.of(arn[3]));
        }
        return function == null
                ? new TokenSource(secrets.build(), secretId)
                : new TokenSource(secrets.build(), secretId, functions.build(), function);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TokenSettings
                && secretId.equals(((TokenSettings) other).secretId)
                && Objects.equals(function, ((TokenSettings) other).function);
    }

    @Override
    public int hashCode() {
        return Objects.hash(secretId, function);
    }
}
