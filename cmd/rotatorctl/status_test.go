package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// listing is what Parameter Store shows of parameters NAME/KIND.
func listing(parameters map[string]string) string {
	var rows []string
	for name, value := range parameters {
		rows = append(rows, fmt.Sprintf(`{"Name":"/reltio-token-rotator/tokens/%s","Value":%q}`, name, value))
	}
	return `{"Parameters":[` + strings.Join(rows, ",") + `]}`
}

func TestStatus(t *testing.T) {
	day := 24 * time.Hour
	state := func(format string, args ...any) string { return fmt.Sprintf(format, args...) }
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
	for _, test := range []struct {
		name       string
		parameters map[string]string
		says       []string
	}{
		{
			"fresh",
			map[string]string{"default/config": "{}", "default/state": state(`{"expires_at":%q,"refreshed_at":%q,"refresh_token_fingerprint":"x","refresh_token_since":%q}`, at(48*time.Minute), at(-11*time.Minute), at(-3*day))},
			[]string{"CONNECTION   TOKEN LEFT   REFRESHED    FAILURES   ERROR   REFRESH TOKEN", "default      48 min       11 min ago   0          -       3 days old"},
		},
		{
			"refused",
			map[string]string{"emea/config": "{}", "emea/state": state(`{"expires_at":%q,"refreshed_at":%q,"failures":2,"error":"client_rejected","not_before":%q}`, at(-2*time.Minute), at(-62*time.Minute), at(50*time.Minute))},
			[]string{"ended 2 min ago", "2          client_rejected", "emea: tried again in 50 min; see docs/runbook.md#client_rejected"},
		},
		{
			"nobody seeded",
			map[string]string{"default/config": "{}", "default/state": "{}"},
			[]string{"none yet", "never", "make seed STACK=tokens CONNECTION=default"},
		},
		{"switched off", map[string]string{"default/config": `{"enabled":false}`}, []string{`switched off by its config`}},
		{"damaged", map[string]string{"default/config": "{}", "default/state": "?"}, []string{"its state is not JSON"}},
		{
			"a refresh token that grows old",
			map[string]string{"default/config": "{}", "default/state": state(`{"expires_at":%q,"refreshed_at":%q,"refresh_token_fingerprint":"x","refresh_token_since":%q}`, at(time.Hour), at(0), at(-22*day))},
			[]string{"22 days old", "ends after 28 days", "docs/runbook.md#refresh-token-expiring"},
		},
		{
			"a pending refresh token",
			map[string]string{"default/config": "{}", "default/state": `{}`, "default/pending": "canary"},
			[]string{"waits pending", "docs/runbook.md#credentials_not_saved"},
		},
		{
			"parameters that somebody made up",
			map[string]string{"default/config": "{}", "default/state": state(`{"expires_at":%q,"refreshed_at":%q,"error":"\u001b[2J"}`, at(0), at(0)), "gone/state": "{}"},
			[]string{"?[2J"},
		},
	} {
		o, out := person(&account{answers: map[string]string{"ssm get-parameters-by-path --path /reltio-token-rotator/tokens --recursive": listing(test.parameters)}})
		if err := o.status(t.Context(), options{}); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		says(t, test.name, out.String(), test.says...)
		for _, never := range []string{"canary", "\x1b", "gone"} {
			if strings.Contains(out.String(), never) {
				t.Errorf("%s: %q is shown:\n%s", test.name, never, out)
			}
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 119 * time.Second: "119 s", 2 * time.Minute: "2 min", 119 * time.Minute: "119 min",
		2 * time.Hour: "2 h", 47 * time.Hour: "47 h", 48 * time.Hour: "2 days", -3 * time.Second: "-3 s",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %q, not %q", d, got, want)
		}
	}
}

func TestReadable(t *testing.T) {
	for message, want := range map[string]string{
		`{"_aws":{},"Heartbeats":1}`: "",
		"":                           "",
		"START RequestId: 1\n":       "START RequestId: 1",
		`{"time":"x","level":"INFO","msg":"run","report":{"connections":[{"name":"a","outcome":"not_due"},{"name":"b","outcome":"refreshed","reason":"window","seconds_remaining":3598}]}}`: "INFO   b  refreshed (window), 3598 s left",
		`{"level":"ERROR","msg":"run","report":{"error":"state_unavailable","message":"denied","connections":[]}}`:                                                                          "ERROR  state_unavailable: denied",
		`{"level":"ERROR","msg":"run","report":{"connections":[{"name":"b","outcome":"failed","error":"client_rejected","message":"correct it"}]}}`:                                         "ERROR  b  failed  client_rejected: correct it",
		`{"time":"x","level":"WARN","msg":"lives so short","connection":"b","requestId":"1"}`:                                                                                               "WARN   lives so short connection=b",
		`{"errorType":"RotationFailed"}`: `{"errorType":"RotationFailed"}`,
	} {
		if got := strings.Join(readable(message), "\n"); got != want {
			t.Errorf("%s\nreads   %s\nwanted  %s", message, got, want)
		}
	}
}
