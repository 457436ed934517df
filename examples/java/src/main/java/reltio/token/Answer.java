package reltio.token;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.function.Supplier;
import javax.net.ssl.SSLSession;

/** The response to the caller's own request, which holds no token. */
final class Answer<T> implements HttpResponse<T> {
    private final HttpRequest request;
    private final HttpResponse<Body<T>> response;
    private final T body;

    Answer(HttpRequest request, HttpResponse<Body<T>> response) {
        this.request = request;
        this.response = response;
        this.body = response.body().get();
    }

    /** What the caller's handler makes of the body. */
    interface Body<T> extends Supplier<T> {}

    /**
     * Keeps the body of a 401 until it is known that the caller gets it: a handler that writes a file
     * or opens a stream sees one body, not two.
     */
    static <T> BodyHandler<Body<T>> handler(BodyHandler<T> handler) {
        return info -> {
            if (info.statusCode() != 401) {
                return BodySubscribers.mapping(handler.apply(info), body -> () -> body);
            }
            return BodySubscribers.mapping(BodySubscribers.ofByteArray(), bytes -> () -> give(bytes, handler.apply(info)));
        };
    }

    private static <T> T give(byte[] bytes, BodySubscriber<T> subscriber) {
        CompletableFuture<T> body = subscriber.getBody().toCompletableFuture();
        subscriber.onSubscribe(new Flow.Subscription() {
            @Override
            public void request(long n) {}

            @Override
            public void cancel() {}
        });
        if (bytes.length > 0) {
            subscriber.onNext(List.of(ByteBuffer.wrap(bytes)));
        }
        subscriber.onComplete();
        return body.join();
    }

    @Override
    public int statusCode() {
        return response.statusCode();
    }

    @Override
    public HttpRequest request() {
        return request;
    }

    @Override
    public Optional<HttpResponse<T>> previousResponse() {
        return Optional.empty();
    }

    @Override
    public HttpHeaders headers() {
        return response.headers();
    }

    @Override
    public T body() {
        return body;
    }

    @Override
    public Optional<SSLSession> sslSession() {
        return response.sslSession();
    }

    @Override
    public URI uri() {
        return response.uri();
    }

    @Override
    public HttpClient.Version version() {
        return response.version();
    }
}
