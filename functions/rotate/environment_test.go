package main

import (
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
)

// deployed is the environment that the template gives the function.
func deployed() map[string]string {
	return map[string]string{
		"PREFIX": "reltio-token-rotator/team-data", "TOKEN_URL": "https://auth.reltio.com/oauth/token", "TOKEN_HOSTS": "reltio.com",
		"REFRESH_BEFORE": "600s", "HEARTBEAT": "1m", "TOKEN_REQUESTS_PER_SECOND": "5",
	}
}

// with returns the deployed environment with changes.
func with(changes map[string]string) func(string) string {
	variables := deployed()
	maps.Copy(variables, changes)
	return func(name string) string { return variables[name] }
}

func TestTheEnvironmentOfAStack(t *testing.T) {
	got, err := readEnvironment(with(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := environment{
		prefix: "reltio-token-rotator/team-data",
		settings: rotator.Settings{
			TokenURL: "https://auth.reltio.com/oauth/token", TokenHosts: []string{"reltio.com"},
			RefreshBefore: 10 * time.Minute, Heartbeat: time.Minute,
		},
		tokenRequestsPerSecond: 5,
		logLevel:               slog.LevelInfo,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got.stack() != "team-data" {
		t.Errorf("the stack is %q", got.stack())
	}
}

func TestSettingsThatAreAccepted(t *testing.T) {
	for name, row := range map[string]struct {
		change map[string]string
		got    func(environment) any
		want   any
	}{
		"several hosts, with spaces": {
			map[string]string{"TOKEN_HOSTS": "reltio.com, example.org"},
			func(e environment) any { return strings.Join(e.settings.TokenHosts, "|") }, "reltio.com|example.org",
		},
		"DEBUG": {map[string]string{"LOG_LEVEL": "DEBUG"}, func(e environment) any { return e.logLevel }, slog.LevelDebug},
		"INFO":  {map[string]string{"LOG_LEVEL": "INFO"}, func(e environment) any { return e.logLevel }, slog.LevelInfo},
		"WARN":  {map[string]string{"LOG_LEVEL": "WARN"}, func(e environment) any { return e.logLevel }, slog.LevelWarn},
		"ERROR": {map[string]string{"LOG_LEVEL": "ERROR"}, func(e environment) any { return e.logLevel }, slog.LevelError},
		"a local run": {
			map[string]string{
				"TOKEN_URL": "http://127.0.0.1:1234/oauth/token", "TOKEN_HOSTS": "127.0.0.1",
				"REFRESH_BEFORE": "1s", "HEARTBEAT": "500ms", "AWS_ENDPOINT_URL": "http://localhost:4566",
			},
			func(e environment) any { return e.settings.Heartbeat }, 500 * time.Millisecond,
		},
		"IPv6 loopback": {
			map[string]string{"AWS_ENDPOINT_URL": "http://[::1]:4566"},
			func(e environment) any { return e.prefix }, "reltio-token-rotator/team-data",
		},
		"a run under sam local": {
			map[string]string{
				"TOKEN_URL": "http://host.docker.internal:1234/oauth/token", "TOKEN_HOSTS": "host.docker.internal",
				"AWS_SAM_LOCAL": "true", "AWS_ENDPOINT_URL": "http://host.docker.internal:4566",
			},
			func(e environment) any { return e.settings.AllowDockerHost }, true,
		},
		"a host below an allowed one": {
			map[string]string{"TOKEN_URL": "https://auth-stg.cloud.reltio.com/oauth/token"},
			func(e environment) any { return e.settings.TokenURL }, "https://auth-stg.cloud.reltio.com/oauth/token",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := readEnvironment(with(row.change))
			if err != nil {
				t.Fatal(err)
			}
			if got := row.got(e); got != row.want {
				t.Errorf("%v, want %v", got, row.want)
			}
		})
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	for _, row := range []struct{ variable, value, says string }{
		{"PREFIX", "", "is missing"},
		{"PREFIX", "/reltio-token-rotator/x", "not of the form"},
		{"PREFIX", "reltio-token-rotator", "not of the form"},
		{"PREFIX", "reltio-token-rotator/x/", "not of the form"},
		{"PREFIX", "reltio-token-rotator/x y", "not of the form"},
		{"PREFIX", "reltio-token-rotator//x", "not of the form"},
		{"TOKEN_URL", "", "is missing"},
		{"TOKEN_URL", "auth.reltio.com", "is not a URL"},
		{"TOKEN_URL", "http://auth.reltio.com/oauth/token", "unencrypted"},
		{"TOKEN_URL", "http://host.docker.internal/oauth/token", "unencrypted"},
		{"TOKEN_URL", "https://user:hunter2@auth.reltio.com/oauth/token", "user information"},
		{"TOKEN_URL", "https://auth.reltio.com/oauth/token?client_secret=hunter2", "query or a fragment"},
		{"TOKEN_URL", "https://auth.reltio.com/oauth/token?", "query or a fragment"},
		{"TOKEN_URL", "https://auth.reltio.com/oauth/token#hunter2", "query or a fragment"},
		{"TOKEN_URL", "https://reltio.com.example.org/oauth/token", "not within TOKEN_HOSTS"},
		{"TOKEN_URL", "https://notreltio.com/oauth/token", "not within TOKEN_HOSTS"},
		{"TOKEN_URL", "http://127.0.0.1/oauth/token", "not within TOKEN_HOSTS"},
		{"TOKEN_HOSTS", "", "is missing"},
		{"TOKEN_HOSTS", "reltio.com,Example.org", "lower-case"},
		{"TOKEN_HOSTS", "reltio.com,", "lower-case"},
		{"TOKEN_HOSTS", "*.reltio.com", "lower-case"},
		{"TOKEN_HOSTS", "user:hunter2@example.org", "entry 1 is not a lower-case host name"},
		{"TOKEN_HOSTS", "example.org,hunter2:443", "entry 2 is not a lower-case host name"},
		{"TOKEN_HOSTS", "https://hunter2", "lower-case"},
		{"TOKEN_HOSTS", "hunter2+/=", "lower-case"},
		{"PREFIX", "hunter2", "not of the form"},
		{"REFRESH_BEFORE", "hunter2", "not a positive duration"},
		{"HEARTBEAT", "hunter2", "not a positive duration"},
		{"TOKEN_REQUESTS_PER_SECOND", "hunter2", "at least 1"},
		{"LOG_LEVEL", "hunter2", "none of DEBUG, INFO, WARN, ERROR"},
		{"AWS_ENDPOINT_URL", "http://hunter2", "local runs only"},
		{"REFRESH_BEFORE", "", "is missing"},
		{"REFRESH_BEFORE", "600", "not a positive duration"},
		{"REFRESH_BEFORE", "-10m", "not a positive duration"},
		{"REFRESH_BEFORE", "119s", "2 × 1m0s = 2m0s"},
		{"REFRESH_BEFORE", "25h", "longer than"},
		{"HEARTBEAT", "", "is missing"},
		{"HEARTBEAT", "0", "not a positive duration"},
		{"TOKEN_REQUESTS_PER_SECOND", "", "is missing"},
		{"TOKEN_REQUESTS_PER_SECOND", "0", "at least 1"},
		{"TOKEN_REQUESTS_PER_SECOND", "2.5", "at least 1"},
		{"LOG_LEVEL", "info", "none of DEBUG, INFO, WARN, ERROR"},
		{"LOG_LEVEL", "INFO+1", "none of DEBUG, INFO, WARN, ERROR"},
		{"AWS_ENDPOINT_URL", "https://ssm.example.com", "local runs only"},
		{"AWS_ENDPOINT_URL", "http://10.0.0.1:4566", "local runs only"},
	} {
		t.Run(row.variable+"="+row.value, func(t *testing.T) {
			_, err := readEnvironment(with(map[string]string{row.variable: row.value}))
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), row.variable+": ") || !strings.Contains(err.Error(), row.says) {
				t.Errorf("%q does not name %s and say %q", err, row.variable, row.says)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the value can be seen in %q", err)
			}
		})
	}
}

func TestEveryMistakeIsNamedOnce(t *testing.T) {
	_, err := readEnvironment(func(string) string { return "" })
	if err == nil {
		t.Fatal("an empty environment was accepted")
	}
	for name := range deployed() {
		if strings.Count("\n"+err.Error(), "\n"+name+": ") != 1 {
			t.Errorf("%s is not named once in:\n%v", name, err)
		}
	}
	if strings.Contains(err.Error(), "LOG_LEVEL") || strings.Contains(err.Error(), "AWS_ENDPOINT_URL") {
		t.Errorf("what may be left out is missed:\n%v", err)
	}
}

func TestTheLogLevelHoldsBesideMistakes(t *testing.T) {
	e, err := readEnvironment(with(map[string]string{"LOG_LEVEL": "WARN", "PREFIX": ""}))
	if err == nil || e.logLevel != slog.LevelWarn {
		t.Errorf("level %v, error %v", e.logLevel, err)
	}
}
