package doctor

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func document(fields ...string) string {
	text := `{"client_secret":"canary"`
	for i := 0; i < len(fields); i += 2 {
		text += fmt.Sprintf(`,%q:%q`, fields[i], fields[i+1])
	}
	return text + "}"
}

func TestConnectionsWithOneLogin(t *testing.T) {
	user := document("client_id", "c", "username", "u", "password", "canary")
	for _, c := range []struct {
		name string
		a, b string // credentials
		// config is b's.
		config string
		same   bool
	}{
		{"one user", user, user, "", true},
		{"one user with other secrets", user, document("client_id", "c", "username", "u", "password", "canary2", "refresh_token", "canary-r"), "", true},
		{"one refresh token", document("client_id", "c", "refresh_token", "canary-r"), document("client_id", "d", "refresh_token", "canary-r"), "", true},
		{"two users", user, document("client_id", "c", "username", "v", "password", "canary"), "", false},
		{"two clients", user, document("client_id", "d", "username", "u", "password", "canary"), "", false},
		{"two refresh tokens", document("client_id", "c", "refresh_token", "canary-r"), document("client_id", "c", "refresh_token", "canary-s"), "", false},
		{"a client alone", document("client_id", "c"), document("client_id", "c"), "", false},
		{"another token endpoint", user, user, `{"token_url":"https://auth-stg.reltio.com/oauth/token"}`, false},
		{"an alternate that is the other's user", user, `{"client_id":"c","client_secret":"canary","refresh_token":"canary-r","alternate":` + user + `}`, "", true},
		{"one is disabled", user, user, `{"enabled":false}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newFakeStack()
			s.connections = []string{"a", "b", "other"}
			s.credentials = map[string]string{"a": c.a, "b": c.b}
			s.configs = map[string]string{"b": c.config}
			report, printed, err := s.check(t)
			if err != nil || strings.Contains(printed+fmt.Sprint(report), "canary") {
				t.Errorf("%v, %v", report, err)
			}
			found := map[string]string{}
			for _, check := range report.Checks {
				switch {
				case !check.OK:
					found[check.Connection+" "+string(check.Check)] = check.Message
				case check.Check == CheckLogin && check.Message != "no other connection has this login":
					t.Errorf("%+v", check)
				}
			}
			if !c.same {
				if len(found) > 0 {
					t.Errorf("found %v", found)
				}
				return
			}
			if _, set, ok := strings.Cut(c.b, "alternate"); ok && set != "" && !strings.Contains(found["a login"], "the same login as b (alternate);") {
				t.Errorf("the set is not named: %v", found)
			}
			if len(found) != 2 || !strings.Contains(found["a login"], "a has the same login as b") || !strings.Contains(found["b login"], " has the same login as a;") {
				t.Errorf("found %v", found)
			}
		})
	}
}

func TestManyConnectionsWithOneLogin(t *testing.T) {
	s := newFakeStack()
	s.connections, s.credentials = nil, map[string]string{}
	for i := range 20 {
		name := fmt.Sprintf("c%02d", i)
		s.connections = append(s.connections, name)
		s.credentials[name] = document("client_id", "c", "username", "u", "password", "canary")
	}
	report, _, _ := s.check(t)
	if message := failedChecks(report)[CheckLogin]; !strings.Contains(message, "the same login as c00, c01, c02, c03, c04, others; a refresh") {
		t.Errorf("%q", message)
	}
}

func TestALoginThatIsNotKnown(t *testing.T) {
	s := newFakeStack()
	s.fails = func(call string) error {
		if call == "read" {
			return errors.New("GetSecretValue: timed out")
		}
		return nil
	}
	report, _, _ := s.check(t)
	for _, check := range report.Checks {
		if check.Check == CheckLogin && (!check.OK || !strings.HasPrefix(check.Message, "not checked")) {
			t.Errorf("%+v", check)
		}
	}
}
