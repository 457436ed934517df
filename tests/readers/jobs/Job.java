package reltio.token;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.services.lambda.LambdaClient;
import software.amazon.awssdk.services.secretsmanager.SecretsManagerClient;

/** A job with ReltioClient. It carries out the orders of standard input: see job in fixture_test.go. */
final class Job {
    private static final String SECRET = System.getenv("RELTIO_SECRET");
    private static final String CLOCK = System.getenv("CLOCK");

    private final SecretsManagerClient secrets =
            CLOCK == null ? null : SecretsManagerClient.builder().httpClientBuilder(UrlConnectionHttpClient.builder()).build();
    private final LambdaClient functions =
            CLOCK == null ? null : LambdaClient.builder().httpClientBuilder(UrlConnectionHttpClient.builder()).build();
    private TokenSource source;
    private ReltioClient client;

    public static void main(String[] arguments) throws Exception {
        Job job = new Job();
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = orders.readLine(); line != null; line = orders.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("start")) {
                job.start(words[1].equals("-") ? null : words[1]);
                System.out.println("ok");
            } else if (words[0].equals("show")) {
                job.show();
                System.out.println("ok");
            } else {
                System.out.println(String.join(" ", job.calls(words[1], URI.create(words[2]), Integer.parseInt(words[3]))));
            }
        }
    }

    private void start(String function) throws Exception {
        if (CLOCK == null) {
            // As Spark sends it to an executor.
            TokenSettings settings = TokenSettings.of(SECRET);
            TokenSettings copy = copy(function == null ? settings : settings.reportingTo(function));
            source = copy.source();
            if (source != copy(copy).source()) {
                throw new AssertionError("two sources in one JVM");
            }
            client = copy.client();
            return;
        }
        source = new TokenSource(secrets, SECRET, function == null ? null : functions, function, new FileClock());
        try {
            client = new ReltioClient(source, HttpClient.newBuilder().followRedirects(HttpClient.Redirect.ALWAYS).build());
        } catch (IllegalArgumentException e) {
            client = new ReltioClient(source);
        }
    }

    private List<String> calls(String what, URI url, int n) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(n);
        List<Future<String>> running = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            running.add(threads.submit(() -> call(what, url)));
        }
        List<String> statuses = new ArrayList<>();
        for (Future<String> one : running) {
            statuses.add(one.get());
        }
        threads.shutdown();
        return statuses;
    }

    private String call(String what, URI url) {
        HttpRequest.Builder request = HttpRequest.newBuilder(url);
        AtomicBoolean used = new AtomicBoolean();
        if (what.equals("text")) {
            request.POST(BodyPublishers.ofString("body"));
        } else if (what.equals("once")) {
            InputStream body = new ByteArrayInputStream("body".getBytes(StandardCharsets.UTF_8));
            request.POST(BodyPublishers.ofInputStream(() -> used.getAndSet(true) ? null : body));
        }
        try {
            HttpResponse<String> response = client.send(request.build(), BodyHandlers.ofString());
            if (response.statusCode() == 401 && !response.body().equals("refused") && !response.body().isEmpty()) {
                return "error:the body is " + response.body();
            }
            return String.valueOf(response.statusCode());
        } catch (Exception e) {
            e.printStackTrace();
            return "error:" + e.getClass().getSimpleName();
        }
    }

    private void show() throws Exception {
        System.err.println(List.of(source, source.token(), client) + "" + source + source.token() + client);
        HttpResponse<Void> response =
                client.send(HttpRequest.newBuilder(URI.create(System.getenv("AWS_ENDPOINT_URL"))).build(), BodyHandlers.discarding());
        System.err.println(response + " " + response.request().headers().map());
    }

    private static TokenSettings copy(TokenSettings settings) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(settings);
        }
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            return (TokenSettings) in.readObject();
        }
    }

    /** A clock that is ahead by as many seconds as a file says, or stands at =TIME. */
    private static final class FileClock extends Clock {
        @Override
        public Instant instant() {
            try {
                String text = Files.readString(Path.of(CLOCK)).trim();
                return text.startsWith("=") ? Instant.ofEpochSecond(Long.parseLong(text.substring(1)))
                        : Instant.now().plusSeconds(Long.parseLong(text));
            } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }
    }
}
