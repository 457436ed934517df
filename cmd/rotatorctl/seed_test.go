package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"reltio-token-rotator/cmd/internal/credentialsfile"
	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// fakeFunction answers one report after the other, the last again and again.
type fakeFunction struct {
	function
	reports []string
	asked   []string
}

func (f *fakeFunction) Invoke(_ context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	f.asked = append(f.asked, string(in.Payload))
	report := f.reports[min(len(f.asked), len(f.reports))-1]
	return &lambda.InvokeOutput{Payload: []byte(`{"connections":[` + report + `]}`)}, nil
}

// fakeSecrets notes what becomes current again.
type fakeSecrets struct {
	secrets
	moved []string
	fails error
}

func (f *fakeSecrets) UpdateSecretVersionStage(_ context.Context, in *secretsmanager.UpdateSecretVersionStageInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	f.moved = append(f.moved, *in.RemoveFromVersionId+" to "+*in.MoveToVersionId)
	return &secretsmanager.UpdateSecretVersionStageOutput{}, f.fails
}

// Each changed set is proven with a forced refresh of its own. If Reltio rejects it,
// the earlier credentials become current again, but only if they were good.
func TestProve(t *testing.T) {
	good := credentialsBefore{version: "old", good: true}
	result := func(rest string) string { return `{"name":"default","outcome":` + rest + `}` }
	refreshed := result(`"refreshed","seconds_remaining":3598`)
	rejected := result(`"failed","error":"client_rejected","message":"correct it"`)
	for _, test := range []struct {
		name      string
		before    credentialsBefore
		changed   []rotator.SetName
		two, keep bool
		reports   []string
		fails     error
		asked     []string // parts of the events
		moved     bool
		well      bool
		says      string
	}{
		{name: "one set", before: good, changed: []rotator.SetName{rotator.Primary}, reports: []string{refreshed}, asked: []string{`"force":true}`}, well: true, says: "a new token is published"},
		{name: "both sets", before: good, changed: []rotator.SetName{rotator.Primary, rotator.Alternate}, two: true, reports: []string{refreshed}, asked: []string{`"set":"primary"`, `"set":"alternate"`}, well: true},
		{name: "the alternate alone", before: good, changed: []rotator.SetName{rotator.Alternate}, two: true, reports: []string{refreshed}, asked: []string{`"set":"alternate"`}, well: true},
		{name: "nothing", before: good, well: true, says: "No set changed"},
		{name: "rejected", before: good, changed: []rotator.SetName{rotator.Primary}, reports: []string{rejected}, asked: []string{"force"}, moved: true, says: "are current again"},
		{
			name: "the second of two rejected", before: good, changed: []rotator.SetName{rotator.Primary, rotator.Alternate}, two: true, reports: []string{refreshed, result(`"refreshed","failing_set":"alternate","error":"login_rejected","message":"correct it"`)},
			asked: []string{`"set":"primary"`, `"set":"alternate"`}, moved: true, says: "alternate: login_rejected: correct it",
		},
		{name: "not readable", before: good, changed: []rotator.SetName{rotator.Primary}, reports: []string{result(`"failed","error":"credentials_unreadable"`)}, asked: []string{"force"}, moved: true},
		{name: "rejected, to be kept", before: good, changed: []rotator.SetName{rotator.Primary}, keep: true, reports: []string{rejected}, asked: []string{"force"}, says: "-keep"},
		{name: "rejected, nothing before", changed: []rotator.SetName{rotator.Primary}, reports: []string{rejected}, asked: []string{"force"}, says: "no earlier version"},
		{name: "rejected, as those before", before: credentialsBefore{version: "old"}, changed: []rotator.SetName{rotator.Primary}, reports: []string{rejected}, asked: []string{"force"}, says: "were not known to work"},
		{name: "rejected, and another version is current meanwhile", before: good, changed: []rotator.SetName{rotator.Primary}, reports: []string{rejected}, fails: &smithy.GenericAPIError{Code: "InvalidParameterException"}, asked: []string{"force"}, moved: true, says: "is no longer current"},
		{name: "an answer that was lost", before: good, changed: []rotator.SetName{rotator.Primary}, reports: []string{result(`"failed","error":"answer_lost"`)}, asked: []string{"force"}},
		{name: "throttled", before: good, changed: []rotator.SetName{rotator.Primary}, reports: []string{result(`"failed","error":"throttled"`)}, asked: []string{"force"}},
		{name: "unreachable", before: good, changed: []rotator.SetName{rotator.Primary}, reports: []string{result(`"failed","error":"unreachable"`)}, asked: []string{"force"}},
		{name: "backing off after a rejection", before: good, changed: []rotator.SetName{rotator.Primary}, reports: []string{result(`"backing_off","error":"client_rejected"`)}, asked: []string{"force"}},
		{name: "busy, then a new token", before: good, changed: []rotator.SetName{rotator.Primary}, reports: []string{result(`"busy"`), refreshed}, asked: []string{"force", "force"}, well: true, says: "another run is refreshing it"},
		{name: "deferred for ever", before: good, changed: []rotator.SetName{rotator.Primary}, reports: []string{result(`"deferred"`)}, says: "it is not refreshed yet"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, s, out := &fakeFunction{reports: test.reports}, &fakeSecrets{fails: test.fails}, &bytes.Buffer{}
			o := &operator{options: options{stack: "tokens", connection: "default", keep: test.keep}, out: out, now: time.Now, zone: time.UTC}
			o.aws.function, o.aws.secrets = f, s
			err := o.prove(t.Context(), "rotate", test.before, "new", test.changed, test.two)
			if (err == nil) != test.well || err != nil && !errors.Is(err, errWrong) {
				t.Errorf("%s: ends with %v", test.name, err)
			}
			if moved := fmt.Sprint(s.moved) == "[new to old]"; moved != test.moved {
				t.Errorf("%s: moved %v", test.name, s.moved)
			}
			if test.asked != nil && len(f.asked) != len(test.asked) {
				t.Errorf("%s: asked %v", test.name, f.asked)
			}
			for i, part := range test.asked {
				if i < len(f.asked) && !strings.Contains(f.asked[i], part) {
					t.Errorf("%s: asked %v, wanted %s", test.name, f.asked, part)
				}
			}
			if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), test.says) {
				t.Errorf("%s: it does not say %q:\n%s", test.name, test.says, out)
			}
		})
	}
}

func TestSetsOf(t *testing.T) {
	const one = `"client_id":"c","client_secret":"s"`
	for document, want := range map[string]string{
		`{` + one + `}`:                                                   "primary",
		`{` + one + `,"alternate":{}}`:                                    "primary",
		`{` + one + `,"alternate":{` + one + `}}`:                         "the same login",
		`{` + one + `,"alternate":[]}`:                                    "must be an object",
		`{` + one + `,"alternate":{"client_id":"c"}}`:                     "client_secret",
		`{` + one + `,"alternate":{"client_id":"d","client_secret":"s"}}`: "primary alternate",
		`{` + one + `,"refresh_token":"r","alternate":{"client_id":"d","client_secret":"s","refresh_token":"r"}}`:           "the same login",
		`{` + one + `,"username":"a","password":"p","alternate":{` + one + `,"username":"b","password":"p"},"note":"kept"}`: "primary alternate",
	} {
		sets, err := credentialsfile.Sets(secret.New(document))
		got := ""
		for _, set := range sets {
			got += " " + string(set.Name)
		}
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || err == nil && strings.TrimSpace(got) != want {
			t.Errorf("%s: %s, wanted %s", document, got, want)
		}
	}
}
