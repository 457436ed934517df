package rotator

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"reltio-token-rotator/rotator/secret"
)

// Values that hold secrets beside other fields show none of them, however they are
// printed. rotator/secret tests the box itself.
func TestValuesThatHoldSecretsPrintNone(t *testing.T) {
	const value = "canary-5f0c"
	boxed := secret.New(value)
	failure := &Error{Code: BadResponse, Message: "m", Cause: fmt.Errorf("about %s", value)}
	for _, thing := range []any{
		failure, errors.Join(failure),
		Credentials{Primary: CredentialSet{ClientSecret: boxed}, document: boxed},
		PendingToken{RefreshToken: boxed},
		TokenResponse{AccessToken: boxed},
	} {
		printed, _ := json.Marshal(thing)
		for _, verb := range []string{"%v", "%+v", "%s", "%q"} {
			printed = fmt.Appendf(printed, verb, thing)
		}
		if strings.Contains(string(printed), value) {
			t.Errorf("%T prints a secret", thing)
		}
	}
}
