package reltio.token;

import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.time.Duration;

/**
 * Sends requests to Reltio with the current token. On a 401 it gets another token and sends the
 * request once more, unless its body cannot be sent again: then the 401 comes back, as it does where
 * no other token is to be had.
 *
 * <p>A redirect comes back as it is: followed, it could take the token to another host.
 */
public final class ReltioClient {
    private final TokenSource source;
    private final HttpClient http;

    /** A client over a new {@link HttpClient}. */
    public ReltioClient(TokenSource source) {
        this(source, HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build());
    }

    /** A client over yours, which must not follow redirects. */
    public ReltioClient(TokenSource source, HttpClient http) {
        if (http.followRedirects() != HttpClient.Redirect.NEVER) {
            throw new IllegalArgumentException("the HttpClient must not follow redirects: they would get the token");
        }
        this.source = source;
        this.http = http;
    }

    /** As {@link HttpClient#send}. It may take 45 s longer where a token has to be replaced. */
    public <T> HttpResponse<T> send(HttpRequest request, BodyHandler<T> handler)
            throws IOException, InterruptedException {
        Token token = source.token();
        ReplayableBody body = request.bodyPublisher().map(ReplayableBody::new).orElse(null);
        HttpResponse<Answer.Body<T>> first = http.send(authorised(request, body, token), Answer.handler(handler));
        if (first.statusCode() != 401) {
            return new Answer<>(request, first);
        }
        Token other = source.replacement(token);
        if (other == null) {
            return new Answer<>(request, first);
        }
        HttpResponse<Answer.Body<T>> second;
        try {
            second = http.send(authorised(request, body, other), Answer.handler(handler));
        } catch (IOException e) {
            if (body != null && body.failed()) {
                return new Answer<>(request, first);
            }
            throw e;
        }
        if (second.statusCode() == 401) {
            source.refusedAgain(token);
        }
        return new Answer<>(request, second);
    }

    private static HttpRequest authorised(HttpRequest request, ReplayableBody body, Token token) {
        HttpRequest.Builder out = HttpRequest.newBuilder(request.uri())
                .method(request.method(), body == null ? HttpRequest.BodyPublishers.noBody() : body)
                .expectContinue(request.expectContinue());
        request.headers().map().forEach((name, values) -> values.forEach(value -> out.header(name, value)));
        request.timeout().ifPresent(out::timeout);
        request.version().ifPresent(out::version);
        return out.setHeader("Authorization", "Bearer " + token.reveal()).build();
    }
}
