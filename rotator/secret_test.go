package rotator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	const value = "canary-5f0c"
	secret := NewSecret(value)
	type inside struct {
		Public  Secret
		private Secret
	}
	holder := inside{secret, secret}
	failure := &Error{Code: BadResponse, Message: "m", Cause: fmt.Errorf("about %v", secret)}
	things := []any{secret, &secret, holder, &holder, []Secret{secret}, map[string]Secret{"a": secret}, map[Secret]int{secret: 1}, failure, errors.Join(failure), Credentials{ClientSecret: secret, document: secret}, EscrowDocument{RefreshToken: secret}}

	var printed bytes.Buffer
	for _, thing := range things {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T", "%p", "%b"} {
			fmt.Fprintf(&printed, verb+"\n", thing)
		}
		document, _ := json.Marshal(thing)
		printed.Write(document)
		for _, handler := range []slog.Handler{slog.NewJSONHandler(&printed, nil), slog.NewTextHandler(&printed, nil)} {
			slog.New(handler).Info("m", "thing", thing)
		}
	}
	out := strings.ToLower(printed.String())
	for _, form := range []string{value, fmt.Sprintf("%x", value), strings.Trim(fmt.Sprint([]byte(value)), "[]")} {
		if strings.Contains(out, form) {
			t.Errorf("a secret was printed as %s", form)
		}
	}
	if !strings.Contains(out, redacted) {
		t.Error("nothing was printed at all")
	}
}

func TestSecret(t *testing.T) {
	if s := NewSecret(""); !s.Empty() || s.Reveal() != "" || s.Fingerprint() != "" || !s.Equal(Secret{}) {
		t.Error("an empty value is not the zero Secret")
	}
	s := NewSecret(" a b\n")
	if s.Reveal() != " a b\n" {
		t.Error("a value was trimmed")
	}
	if !s.Equal(NewSecret(" a b\n")) || s.Equal(NewSecret("a b")) || s.Equal(Secret{}) {
		t.Error("Equal does not compare the values")
	}
	// echo -n abc | sha256sum
	if got := NewSecret("abc").Fingerprint(); got != "ba7816bf8f01cfea" {
		t.Errorf("the fingerprint is %s", got)
	}
}
