package reader_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"reltio-token-rotator/rotator/reader"
)

func TestToken(t *testing.T) {
	token := func(t *testing.T, w *harness) string {
		t.Helper()
		got, err := w.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got.Reveal()
	}
	play(t, "many goroutines share one read", func(t *testing.T, w *harness) {
		var jobs sync.WaitGroup
		for range 20 {
			jobs.Go(func() { token(t, w) })
		}
		jobs.Wait()
		w.wantReads(1)
	})
	play(t, "is read again after five minutes", func(t *testing.T, w *harness) {
		token(t, w)
		w.publish("t2", time.Hour)
		time.Sleep(5*time.Minute - time.Second)
		if got := token(t, w); got != "t1" {
			t.Errorf("%s before the five minutes are over", got)
		}
		time.Sleep(time.Second)
		if got := token(t, w); got != "t2" {
			t.Errorf("%s after five minutes", got)
		}
		w.wantReads(2)
	})
	play(t, "is not cached past its end", func(t *testing.T, w *harness) {
		w.publish("t1", time.Minute)
		token(t, w)
		time.Sleep(time.Minute - time.Second)
		token(t, w)
		w.wantReads(1)
		time.Sleep(time.Second)
		// There is no newer token, so this one is returned, and each call reads the
		// secret again.
		token(t, w)
		token(t, w)
		w.wantReads(2)
	})
	play(t, "says until when it holds", func(t *testing.T, w *harness) {
		got, _ := w.Token(t.Context())
		if left := time.Until(got.ExpiresAt); left <= 59*time.Minute || left > time.Hour {
			t.Errorf("ExpiresAt in %v", left)
		}
		if left := time.Until(got.ReadAgain); left <= 4*time.Minute || left > 5*time.Minute {
			t.Errorf("ReadAgain in %v", left)
		}
	})
	play(t, "ends with the caller's context and not with another's", func(t *testing.T, w *harness) {
		w.latency = 2 * time.Second
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var other sync.WaitGroup
		_, err := w.Token(short)
		other.Go(func() { token(t, w) })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		other.Wait()
		w.wantReads(1)
	})
	play(t, "a secret that hangs is given up after ten seconds", func(t *testing.T, w *harness) {
		w.latency = time.Hour
		began := time.Now()
		if _, err := w.Token(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
	play(t, "an error is not kept", func(t *testing.T, w *harness) {
		w.fail(errDenied)
		if _, err := w.Token(t.Context()); !errors.Is(err, errDenied) || !strings.Contains(err.Error(), secretName) {
			t.Errorf("%v", err)
		}
		w.fail(nil)
		token(t, w)
	})
}

func TestSecretsThatHoldNoToken(t *testing.T) {
	for document, says := range map[string]string{
		``:                           "not the JSON",
		`s3cret`:                     "not the JSON",
		`["s3cret"]`:                 "not the JSON",
		`{"refresh_token":"s3cret"}`: "credentials secret",
		`{"access_token":""}`:        "credentials secret",
		`{"access_token":"x","expires_at":"s3cret"}`: "not the JSON",
	} {
		play(t, document, func(t *testing.T, w *harness) {
			w.put(document)
			_, err := w.Token(t.Context())
			if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v, want it to say %q", err, says)
			}
		})
	}
}

func TestATokenDoesNotPrintItself(t *testing.T) {
	play(t, "in any way", func(t *testing.T, w *harness) {
		w.publish("s3cret", time.Hour)
		token, _ := w.Token(t.Context())
		encoded, _ := json.Marshal(token)
		var logged strings.Builder
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("token", "token", token)
		nested := struct{ inner reader.Token }{token}
		for _, text := range []string{
			fmt.Sprint(token), fmt.Sprintf("%v %+v %#v %s %q %x %d", token, token, token, token, token, token, token),
			fmt.Sprintf("%v %+v", &token, nested), string(encoded), logged.String(),
		} {
			if strings.Contains(text, "s3cret") || strings.Contains(text, "733363726574") {
				t.Errorf("it shows in %s", text)
			}
		}
		if token.Fingerprint() != "1ec1c26b50d5d3c5" {
			t.Errorf("fingerprint %s", token.Fingerprint())
		}
	})
}
