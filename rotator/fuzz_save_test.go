package rotator

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"reltio-token-rotator/rotator/secret"
)

// faultyMemory is a memory whose writes fail as planned. The plan has two bits for
// each write: 1 means that it is refused, 2 that it is done and its answer is lost.
type faultyMemory struct {
	view
	plan    uint64
	answer  TokenResponse
	pending secret.Value
	labels  VersionLabels
}

func (s *faultyMemory) write(what string, do func()) error {
	defer s.call(what)()
	wrong := s.plan & 3
	s.plan >>= 2
	if wrong != 1 {
		do()
	}
	if wrong == 1 || wrong == 2 {
		return errors.New("Write: planned")
	}
	return nil
}

func (s *faultyMemory) RequestToken(context.Context, TokenRequest) (TokenResponse, error) {
	s.issued++
	s.answer.SentAt = time.Now()
	return s.answer, nil
}

func (s *faultyMemory) Save(_ context.Context, connection, versionID string, document secret.Value) error {
	return s.write("save", func() {
		if s.labels.Current != versionID {
			s.labels = VersionLabels{Current: versionID, Previous: s.labels.Current}
		}
		s.secrets[connection] = SecretVersion{ID: versionID, Document: document}
	})
}

func (s *faultyMemory) Labels(context.Context, string) (VersionLabels, error) { return s.labels, nil }

func (s *faultyMemory) RestorePrevious(context.Context, string, string, string) error {
	return ErrMoved
}

func (s *faultyMemory) PutPending(_ context.Context, _ string, document secret.Value) error {
	return s.write("pending", func() { s.pending = document })
}

func (s *faultyMemory) DeletePending(context.Context, string) error {
	return s.write("drop pending refresh token", func() { s.pending = secret.Value{} })
}

func (s *faultyMemory) Publish(_ context.Context, _, _ string, document secret.Value) error {
	return s.write("publish", func() { s.published = append(s.published, document.Reveal()) })
}

// Whatever a token response holds, and whichever writes fail: only a valid token is
// published, a changed refresh token is saved, pending, or reported as lost, and all
// other fields of the credentials secret stay.
func FuzzSave(f *testing.F) {
	f.Add("access", "new", "read write", int64(3599e9), `"mine"`, uint64(0), uint16(0), uint16(0))
	f.Add("access", "r", "", int64(0), `[1,{"a":null}]`, uint64(0), uint16(0), uint16(0))
	f.Add("access", "", "", int64(-1), `12345678901234567890`, uint64(0), uint16(0), uint16(0))
	f.Add("<&>\"\\", "<&>", "\xff\x00", int64(1), `"<&>"`, uint64(0), uint16(0), uint16(0))
	f.Add("access", "new", "", int64(1<<63-1), `1`, uint64(0x5555555555555555), uint16(0), uint16(0)) // all refused
	f.Add("access", "new", "", int64(3599e9), `1`, uint64(0xaaaaaaaaaaaaaaaa), uint16(0), uint16(0))  // all done, all answers lost
	f.Add("access", "new", "", int64(3599e9), `1`, uint64(0b_01_01_10_01), uint16(0), uint16(0))
	f.Add("a", "r", "", int64(3599e9), `1`, uint64(1), uint16(65000), uint16(4000)) // too long for pending refresh token
	f.Fuzz(func(t *testing.T, access, refresh, scope string, expiresIn int64, unknown string, plan uint64, longAccess, longRefresh uint16) {
		access += strings.Repeat("a", int(longAccess))
		refresh += strings.Repeat("r", int(longRefresh))
		for _, text := range []string{access, refresh, unknown} {
			if !utf8.ValidString(text) {
				return // no response and no secret holds such a text
			}
		}
		if access == "" || !json.Valid([]byte(unknown)) {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			document := `{"client_id":"i","client_secret":"s","refresh_token":"r","unknown":` + unknown + `}`
			m.secrets["default"] = SecretVersion{ID: "v1", Document: secret.New(document)}
			s := &faultyMemory{view: view{m, "a", func(string) {}}, plan: plan, labels: VersionLabels{Current: "v1"}}
			s.answer = TokenResponse{AccessToken: secret.New(access), TokenType: "bearer", Scope: scope, ExpiresIn: time.Duration(expiresIn), RefreshToken: secret.New(refresh)}
			r := s.rotator()
			r.Saver, r.Pending, r.Tokens, r.Endpoint = s, s, s, s
			report, err := r.Run(t.Context(), "a", Event{Action: ActionRefresh})
			if err != nil || len(report.Connections) != 1 || m.issued != 1 {
				t.Fatalf("%+v, %v, %d token requests", report, err, m.issued)
			}
			s.wantGoodTokens(t, report.Connections[0])
			s.wantCredentials(t, report.Connections[0], document)
		})
	})
}

// wantGoodTokens checks the published tokens and what the report says about them.
func (s *faultyMemory) wantGoodTokens(t *testing.T, result Result) {
	t.Helper()
	access, expiresIn := s.answer.AccessToken.Reveal(), s.answer.ExpiresIn
	if len(s.published) > 0 && expiresIn <= 0 {
		t.Errorf("a token with a life of %v was published", expiresIn)
	}
	for _, document := range s.published {
		fields := object(t, document)
		end, err := time.Parse(time.RFC3339, fields["expires_at"].(string))
		if fields["access_token"] != access || err != nil || len(document) > maxSecretBytes {
			t.Errorf("published %.200q (%v)", document, err)
		}
		if end.After(s.answer.SentAt.Add(min(expiresIn, 24*time.Hour))) {
			t.Errorf("published with the expiry %v", end)
		}
	}
	if result.Outcome == Refreshed && len(s.published) == 0 {
		t.Error("nothing was published, and the report says refreshed")
	}
	if expiresIn <= 0 && result.Outcome != Failed {
		t.Errorf("nothing could be published, and the report says %s", result.Outcome)
	}
}

// wantCredentials checks the credentials secret and the pending refresh token.
func (s *faultyMemory) wantCredentials(t *testing.T, result Result, before string) {
	t.Helper()
	got, want := object(t, s.secrets["default"].Document.Reveal()), object(t, before)
	sent := s.answer.RefreshToken.Reveal()
	saved := got["refresh_token"] == sent
	if sent == "" && got["refresh_token"] != "r" || sent != "" && !saved && got["refresh_token"] != "r" {
		t.Errorf("the refresh token became %.100q", got["refresh_token"])
	}
	delete(got, "refresh_token")
	delete(want, "refresh_token")
	if was, is := must(json.Marshal(want)), must(json.Marshal(got)); string(was) != string(is) {
		t.Errorf("%s became %s", was, is)
	}
	if sent == "" || sent == "r" {
		if s.secrets["default"].ID != "v1" || !s.pending.Empty() {
			t.Error("an unchanged refresh token was written")
		}
		return
	}
	pending := parsePending(s.pending)
	found := saved || len(pending.Tokens) == 1 && pending.Tokens[0].RefreshToken.Reveal() == sent
	if !found && (result.Error != CredentialsNotSaved || !strings.Contains(result.Message, "log in again")) {
		t.Errorf("the refresh token is lost, and the report says %s %s %q", result.Outcome, result.Error, result.Message)
	}
	if result.Outcome == Refreshed && !saved {
		t.Error("the refresh token is not saved, and the report says refreshed")
	}
}
