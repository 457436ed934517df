package secret

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
	boxed := New(value)
	type inside struct {
		Public  Value
		private Value
	}
	holder := inside{boxed, boxed}
	things := []any{boxed, &boxed, holder, &holder, []Value{boxed}, map[string]Value{"a": boxed}, map[Value]int{boxed: 1}, fmt.Errorf("about %w", errors.Join(errors.New(fmt.Sprint(boxed))))}

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
	if s := New(""); !s.Empty() || s.Reveal() != "" || s.Fingerprint() != "" || !s.Equal(Value{}) {
		t.Error("an empty value is not the zero Secret")
	}
	s := New(" a b\n")
	if s.Reveal() != " a b\n" {
		t.Error("a value was trimmed")
	}
	if !s.Equal(New(" a b\n")) || s.Equal(New("a b")) || s.Equal(Value{}) {
		t.Error("Equal does not compare the values")
	}
	// echo -n abc | sha256sum
	if got := New("abc").Fingerprint(); got != "ba7816bf8f01cfea" {
		t.Errorf("the fingerprint is %s", got)
	}
}
