package reltio.token;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.DateTimeException;
import java.time.Instant;
import software.amazon.awssdk.protocols.jsoncore.JsonNode;

/** An access token as the secret held it. Only {@link #reveal} shows its value. */
public final class Token {
    private final String value;
    private final Instant validUntil;
    private final Instant expiresAt;
    private final String connection;

    private Token(String value, Instant validUntil, Instant expiresAt, String connection) {
        this.value = value;
        this.validUntil = validUntil;
        this.expiresAt = expiresAt;
        this.connection = connection;
    }

    /** Parses the token secret's value. Its errors show nothing of it. */
    static Token parse(String document, String secretName) {
        JsonNode fields;
        try {
            fields = JsonNode.parser().parse(document);
        } catch (RuntimeException e) { // without the cause, which quotes the document
            throw new IllegalStateException("the token secret is not the JSON that the rotator writes");
        }
        String value = text(fields, "access_token");
        if (value == null || value.isEmpty()) {
            throw new IllegalStateException("the token secret has no access_token; is it the credentials secret?");
        }
        String validUntil = text(fields, "valid_until");
        try {
            Instant expiresAt = Instant.parse(String.valueOf(text(fields, "expires_at")));
            String[] name = secretName.split("/"); // PREFIX/NAME/token
            return new Token(
                    value,
                    validUntil == null ? expiresAt : Instant.parse(validUntil),
                    expiresAt,
                    name.length < 2 ? "" : name[name.length - 2]);
        } catch (DateTimeException e) {
            throw new IllegalStateException("the token secret is not the JSON that the rotator writes");
        }
    }

    private static String text(JsonNode fields, String name) {
        JsonNode field = fields.isObject() ? fields.field(name).orElse(null) : null;
        return field != null && field.isString() ? field.asString() : null;
    }

    /** The token itself, for the Authorization header. */
    public String reveal() {
        return value;
    }

    /** When the rotator may end it. Read again then; the same as {@link #expiresAt} in older secrets. */
    public Instant validUntil() {
        return validUntil;
    }

    /** Never later than the truth. */
    public Instant expiresAt() {
        return expiresAt;
    }

    /** The first 16 hex digits of its SHA-256: enough to compare tokens, useless to others. */
    public String fingerprint() {
        byte[] sum;
        try {
            sum = MessageDigest.getInstance("SHA-256").digest(value.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e); // every Java platform has it
        }
        StringBuilder hex = new StringBuilder();
        for (int i = 0; i < 8; i++) {
            hex.append(String.format("%02x", sum[i]));
        }
        return hex.toString();
    }

    /** The connection's name, for a report. */
    String connection() {
        return connection;
    }

    boolean same(Token other) {
        return value.equals(other.value);
    }

    @Override
    public String toString() {
        return "[redacted]";
    }
}
