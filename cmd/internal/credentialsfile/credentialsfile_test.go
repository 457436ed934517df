package credentialsfile

import (
	"strings"
	"testing"

	"reltio-token-rotator/rotator/secret"
)

// A mistake is told as one of the credentials, without the secret that does not
// hold them yet, and without their values.
func TestMistakes(t *testing.T) {
	for document, want := range map[string]string{
		`["hush"]`:                 "it is not a JSON object",
		`{"client_secret":"hush"}`: "field client_id ",
		"\xff{}":                   "it is not valid UTF-8",
		`{"client_id":"c","client_secret":"hush","username":"u"}`:   "field username is there but password is missing",
		`{"client_id":"c","client_secret":"hush","alternate":true}`: "field alternate must be an object",
	} {
		_, err := Sets(secret.New(document))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", document, err, want)
			continue
		}
		for _, not := range []string{"credentials secret", "write a corrected value", "hush"} {
			if strings.Contains(err.Error(), not) {
				t.Errorf("%s: %q is in %v", document, not, err)
			}
		}
	}
	if sets, err := Sets(secret.New(`{"client_id":"c","client_secret":"s","alternate":{"client_id":"d","client_secret":"s"}}`)); err != nil || len(sets) != 2 {
		t.Errorf("%d sets, %v", len(sets), err)
	}
}
