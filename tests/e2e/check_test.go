package e2e_test

import (
	"crypto/x509"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	standaws "reltio-token-rotator/tests/standin/aws"
	standreltio "reltio-token-rotator/tests/standin/reltio"
	"reltio-token-rotator/tests/world"
)

// What the doctor sees, and what it leaves alone. That it changes nothing and
// says nothing secret is looked at in every one of these.

const (
	putCommand = "aws secretsmanager put-secret-value --secret-id reltio-token-rotator/test/default/credentials --secret-string file://credentials.json"
	secretARN  = "arn:aws:secretsmanager:REGION:ACCOUNT:secret:reltio-token-rotator/test/default/"
	ssmARN     = "arn:aws:ssm:REGION:ACCOUNT:parameter/reltio-token-rotator/test/default/"
)

func TestCheckOfAConnectionThatIsWell(t *testing.T) {
	play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
		s.seed("default", s.credentials())
		s.beat().want("default", rotator.Refreshed)
		c := s.check()
		c.wantWrong(nil)
		var order []string
		for _, check := range c.report.Checks {
			order = append(order, check.Connection+" "+string(check.Check))
		}
		want := []string{
			"default config", "default credentials", "default grant", "default refresh_token_age",
			"default credentials_write", "default token_write", "default parameters", "default token_host",
		}
		if !slices.Equal(order, want) || c.report.Version != "test" {
			t.Errorf("the report of %q is %v", c.report.Version, order)
		}
		c.says(rotator.CheckedGrant, "refresh_token would be used")
		c.says(rotator.CheckedRefreshTokenAge, "0 days, it ends on 2000-01-29")
		c.says(rotator.CheckedTokenHost, "auth.reltio.com:443 is reached: DNS, TCP, TLS 1.3 and its certificate, valid until 2001-01-01")
		calls := map[string]int{
			"GetParametersByPath": 1, "GetSecretValue": 1, "DescribeSecret": 2, "PutSecretValue": 2,
			"UpdateSecretVersionStage": 2, "PutParameter": 1, "DeleteParameter": 1,
		}
		if !reflect.DeepEqual(c.calls, calls) {
			t.Errorf("AWS calls were %v, want %v", c.calls, calls)
		}
		if n := s.Network.Dialled(); n != 1 {
			t.Errorf("dialled %d times", n)
		}
		if len(c.logs) != 1 || c.logs[0]["msg"] != "check" || c.logs[0]["level"] != "INFO" {
			t.Errorf("logged %v", c.logs)
		}
		s.wantWorking("default")
	})
}

// Nobody would be helped by a current value that is the check's.
func TestCheckBeforeSeeding(t *testing.T) {
	play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
		s.Add("default")
		const first = "mend the credentials first"
		c := s.check()
		c.wantWrong(map[string]string{"credentials": "no credentials yet: " + putCommand, "grant": first, "refresh_token_age": first})
		c.says(rotator.CheckedCredentialsWrite, "not provable before seeding")
		c.says(rotator.CheckedTokenWrite, "not provable before seeding")
		if c.calls["PutSecretValue"] > 0 {
			t.Error("a secret without a value was written")
		}

		s.PutCredentials("default", s.credentials())
		c = s.check()
		c.wantWrong(nil)
		c.says(rotator.CheckedTokenWrite, "not provable before seeding")
		if c.calls["PutSecretValue"] != 1 {
			t.Errorf("calls: %v", c.calls)
		}
	})
}

func TestCheckFinds(t *testing.T) {
	credentials := func(document string) func(*stage) {
		return func(s *stage) { s.AWS.PutSecret(world.SecretName("default", "credentials"), document) }
	}
	unusable := func(says string) map[string]string {
		const first = "mend the credentials first"
		return map[string]string{"credentials": says, "grant": first, "refresh_token_age": first}
	}
	certificate := func(change func(*x509.Certificate)) func(*stage) {
		return func(s *stage) { s.Network.Certificate = change }
	}
	invalid := func(says string) map[string]string {
		return map[string]string{"config": says, "token_host": "correct the config first"}
	}
	for _, c := range []struct {
		name   string
		breaks func(*stage)
		wrong  map[string]string
	}{
		{"credentials that are not JSON", credentials(`client_id=client`), unusable("not a JSON object; put a corrected value: " + putCommand)},
		{"a missing field", credentials(`{"client_id":"client","refresh_token":"r3fr3sh"}`), unusable("field client_secret is missing or empty")},
		{"credentials that may not be read", denied("GetSecretValue", "", "AccessDeniedException"), unusable("allow the function's role secretsmanager:GetSecretValue on " + secretARN + "credentials-??????")},
		{"a key that is disabled", denied("GetSecretValue", "", "DecryptionFailure"), unusable("its key could not be used (GetSecretValue: DecryptionFailure)")},
		{
			"a key that may not encrypt", denied("PutSecretValue", "/token", "EncryptionFailure"),
			map[string]string{"token_write": "its key could not be used (PutSecretValue: EncryptionFailure)"},
		},
		{
			"credentials that may not be written", denied("PutSecretValue", "/credentials", "AccessDeniedException"),
			map[string]string{"credentials_write": "allow the function's role secretsmanager:PutSecretValue on " + secretARN + "credentials-??????"},
		},
		{
			"a token that may not be written", denied("PutSecretValue", "/token", "AccessDeniedException"),
			map[string]string{"token_write": "allow the function's role secretsmanager:PutSecretValue on " + secretARN + "token-??????"},
		},
		{
			"a token secret that may not be looked at", denied("DescribeSecret", "/token", "AccessDeniedException"),
			map[string]string{"token_write": "not tried, since a first value would become current, and whether there is one could not be seen: denied (DescribeSecret: AccessDeniedException); allow the function's role secretsmanager:DescribeSecret on " + secretARN + "token-??????"},
		},
		{
			"Secrets Manager that throttles", denied("PutSecretValue", "/token", "ThrottlingException"),
			map[string]string{"token_write": "failed (PutSecretValue: ThrottlingException); check again in a minute"},
		},
		{
			"parameters that may not be written", denied("PutParameter", "", "AccessDeniedException"),
			map[string]string{"parameters": "allow the function's role ssm:PutParameter on " + ssmARN + "state, " + ssmARN + "claim, " + ssmARN + "escrow and " + ssmARN + "check"},
		},
		{"a typo in a config", configured(`{"refresh_befor_seconds":900}`), invalid(`config field "refresh_befor_seconds" is unknown; possible are token_url`)},
		{"a config that is not JSON", configured(`{`), invalid("aws ssm put-parameter --overwrite --name /reltio-token-rotator/test/default/config --value '{}'")},
		{"a host that is not allowed", configured(`{"token_url":"https://auth.reltio.example/oauth/token"}`), invalid("host auth.reltio.example is not within TOKEN_HOSTS (reltio.com)")},
		{
			"a host that does not exist", configured(`{"token_url":"https://auht.reltio.com/oauth/token"}`),
			map[string]string{"token_host": "auht.reltio.com:443 is not reached (DNS: its name was not resolved): check how token_url"},
		},
		{
			"no route to the host", func(s *stage) { s.Network.NoRoute = true },
			map[string]string{"token_host": "auth.reltio.com:443 is not reached (TCP: timed out): in a VPC the subnets need a route for 0.0.0.0/0 to a NAT gateway"},
		},
		{
			"a host that refuses", func(s *stage) { s.Network.Refuse = true },
			map[string]string{"token_host": "(TCP: the connection was refused): in a VPC"},
		},
		{
			"a host without TLS", func(s *stage) { s.Network.Plain = true },
			map[string]string{"token_host": "(TLS: the connection failed): what answers there does not speak TLS 1.2"},
		},
		{
			"a certificate that nobody trusts", func(s *stage) { s.Network.Untrusted = true },
			map[string]string{"token_host": "(certificate: its certificate was not accepted: its authority is unknown)"},
		},
		{
			"another host's certificate", certificate(func(c *x509.Certificate) { c.DNSNames = []string{"proxy.example"} }),
			map[string]string{"token_host": "it is another host's): check token_url, and whether something on the way"},
		},
		{
			"an expired certificate", certificate(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
			map[string]string{"token_host": "it has expired or is not valid yet"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
				s.seed("default", s.credentials())
				s.beat().want("default", rotator.Refreshed)
				c.breaks(s)
				found := s.check()
				found.wantWrong(c.wrong)
				if len(found.logs) != 1 || found.logs[0]["level"] != "WARN" {
					t.Errorf("logged %v", found.logs)
				}
			})
		})
	}
}

// A person who runs the doctor often must not use up the versions that a secret
// may have in a day: the rotator may need nearly all of them.
func TestCheckOften(t *testing.T) {
	playAWS(t, standaws.Options{RecreateAfter: 30 * time.Second, WritesPerSecond: 3}, standreltio.Options{}, func(t *testing.T, s *stage) {
		s.seed("default", s.credentials())
		s.beat().want("default", rotator.Refreshed)
		begun := time.Now()
		for range 3 { // the check parameter may not be made again at once
			s.check().wantWrong(nil)
		}
		if took := time.Since(begun); took > 75*time.Second {
			t.Errorf("three checks took %v", took)
		}
		for time.Since(begun) < 24*time.Hour {
			s.check().wantWrong(nil)
			time.Sleep(20 * time.Minute)
		}
		for _, kind := range []string{"credentials", "token"} {
			if n := len(s.AWS.SecretVersions(world.SecretName("default", kind))); n > 1+2 {
				t.Errorf("%s has %d versions", kind, n)
			}
		}
	})
}

// The version that the check writes: nobody can take it for anything, and its
// label is gone, also when an earlier check or a person left one behind.
func TestCheckVersion(t *testing.T) {
	play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
		s.seed("default", s.credentials())
		s.beat().want("default", rotator.Refreshed)
		denied("UpdateSecretVersionStage", "default/token", "AccessDeniedException")(s)
		// Only here does it leave something: a label.
		c := s.checkBeside(nil)
		c.wantWrong(map[string]string{
			"token_write": "could not be taken off again, where it does no harm: denied (UpdateSecretVersionStage: AccessDeniedException); allow the function's role secretsmanager:UpdateSecretVersionStage on " + secretARN + "token-??????",
		})
		versions := s.AWS.SecretVersions(world.SecretName("default", "token"))
		left := versions["check-by-the-rotator-on-2000-01-01"]
		if fields := decode(t, left.Value); !slices.Equal(left.Stages, []string{"ROTATOR_CHECK"}) || len(fields) != 1 || fields["rotator_check"] == nil {
			t.Errorf("the version is %+v", left)
		}
		s.wantWorking("default")

		allowed(s)
		for range 2 { // the next day, and once more
			time.Sleep(24 * time.Hour)
			s.checkBeside(nil).wantWrong(nil)
			s.wantNoLabel("default")
		}
	})
}

func (s *stage) wantNoLabel(connection string) {
	s.t.Helper()
	for _, kind := range []string{"credentials", "token"} {
		for id, version := range s.AWS.SecretVersions(world.SecretName(connection, kind)) {
			if slices.Contains(version.Stages, "ROTATOR_CHECK") || strings.HasPrefix(id, "check") && len(version.Stages) > 0 {
				s.t.Errorf("%s %s bears %v", kind, id, version.Stages)
			}
		}
	}
	if _, _, left := s.AWS.Parameter(world.ParameterName(connection, "check")); left {
		s.t.Error("the check parameter is left")
	}
}

// A refresh that changes both secrets runs at each instant of a check, and a
// check at each instant of such a refresh.
func TestCheckBesideAHeartbeat(t *testing.T) {
	type side struct {
		name  string
		outer func(s *stage, hook func(string, string, bool))
		inner func(s *stage)
	}
	refresh := func(s *stage) {
		if report, err := s.Invoke(s.t.Context(), rotator.Event{}); err != nil || report.Connections[0].Outcome != rotator.Refreshed {
			s.t.Errorf("the heartbeat: %+v, %v", report, err)
		}
	}
	examine := func(s *stage, hook func(string, string, bool)) { s.checkBeside(hook).wantWrong(nil) }
	for _, side := range []side{
		{"a heartbeat in a check", examine, refresh},
		{"a check in a heartbeat", func(s *stage, hook func(string, string, bool)) {
			s.AWS.OnCall(hook)
			refresh(s)
			s.AWS.OnCall(nil)
		}, func(s *stage) {
			report, err := s.Check(s.t.Context())
			checkup{t: s.t, report: report, err: err}.wantWrong(nil)
		}},
	} {
		t.Run(side.name, func(t *testing.T) {
			moments := 0
			for more := true; more; moments++ {
				play(t, standreltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *stage) {
					s.seeded("default", s.credentials())
					old := s.refreshToken("default")
					moment, inside, where := 0, false, ""
					side.outer(s, func(operation, name string, before bool) {
						if inside || where != "" {
							return
						}
						if moment++; moment > moments {
							inside, where = true, fmt.Sprintf("%s %s before=%t", operation, name, before)
							side.inner(s)
							inside = false
						}
					})
					if more = where != ""; !more {
						return
					}
					s.wantWorking("default")
					s.wantNoLabel("default")
					if token := s.refreshToken("default"); token == old || token == "" {
						t.Error("the changed refresh token is not current")
					}
					if state := s.State("default"); state.Error != "" || state.Failures > 0 {
						t.Errorf("the state is %+v", state)
					}
					if t.Failed() {
						t.Logf("at %s", where)
					}
				})
			}
			if moments < 14 {
				t.Errorf("only %d moments were tried", moments)
			}
		})
	}
}

func TestCheckOfManyConnections(t *testing.T) {
	playAWS(t, standaws.Options{WritesPerSecond: 3, Latency: 50 * time.Millisecond}, standreltio.Options{MultiToken: true}, func(t *testing.T, s *stage) {
		var names []string
		for i := range 100 {
			names = append(names, fmt.Sprintf("tenant-%02d", i))
			s.seed(names[i], clientOnly())
		}
		s.config("tenant-41", `{"refresh_before_seconds":"900"}`)
		s.AWS.Inject(standaws.Fault{Operation: "PutSecretValue", Name: "tenant-42/credentials", Code: "AccessDeniedException", Times: -1})
		begun := time.Now()
		c := s.checkBeside(nil)
		c.wantWrong(map[string]string{
			"tenant-41 config": "refresh_before_seconds must be a whole number", "tenant-41 token_host": "correct the config first",
			"tenant-42 credentials_write": "PutSecretValue",
		})
		if len(c.report.Checks) != 800 || time.Since(begun) > 60*time.Second || s.Network.Dialled() != 1 {
			t.Errorf("%d checks took %v and %d connections", len(c.report.Checks), time.Since(begun), s.Network.Dialled())
		}
	})
}

func TestCheckOfCredentials(t *testing.T) {
	t.Run("says which grant would be used", func(t *testing.T) {
		for _, c := range []struct {
			fields map[string]string
			says   string
		}{
			{map[string]string{"refresh_token": "r", "username": "user", "password": password}, "refresh_token would be used; a login when that is refused"},
			{map[string]string{"username": "user", "password": password}, "password would be used: one login"},
			{nil, "client_credentials would be used"},
		} {
			play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
				fields := clientOnly()
				for name, value := range c.fields {
					fields[name] = value
				}
				s.seed("default", fields)
				found := s.check()
				found.wantWrong(nil)
				found.says(rotator.CheckedGrant, c.says)
			})
		}
	})
	t.Run("says that they were refused", func(t *testing.T) {
		play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
			s.seeded("default", s.credentials())
			s.Reltio.Script(standreltio.OAuthError(400, "invalid_grant", ""))
			s.beat().wantFailed("default", rotator.RefreshTokenRejected)
			s.check().wantWrong(map[string]string{"grant": "refused by the token endpoint at the last try (refresh_token_rejected): the refresh token is refused; log in again"})
			s.PutCredentials("default", s.credentials())
			s.check().wantWrong(nil)
		})
	})
	t.Run("tells a refresh token's age", func(t *testing.T) {
		play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
			s.seed("default", s.credentials())
			s.beat().want("default", rotator.Refreshed)
			time.Sleep(20 * 24 * time.Hour)
			s.check().says(rotator.CheckedRefreshTokenAge, "20 days, it ends on 2000-01-29")
			// The same token, put again, is no younger.
			s.PutCredentials("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "refresh_token": s.refreshToken("default")})
			time.Sleep(24 * time.Hour)
			s.check().wantWrong(map[string]string{"refresh_token_age": "21 days, it ends on 2000-01-29: log in again and " + putCommand})
			time.Sleep(7 * 24 * time.Hour)
			s.check().wantWrong(map[string]string{"refresh_token_age": "28 days, and Reltio's refresh tokens live 28: log in again"})
			s.PutCredentials("default", map[string]string{
				"client_id": "client", "client_secret": clientSecret, "refresh_token": s.refreshToken("default"), "username": "user", "password": password,
			})
			c := s.check()
			c.wantWrong(nil)
			c.says(rotator.CheckedRefreshTokenAge, "28 days; when it dies, a login replaces it")
		})
	})
	t.Run("counts what waits in escrow", func(t *testing.T) {
		play(t, standreltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *stage) {
			s.seeded("default", s.credentials())
			denied("PutSecretValue", "/credentials", "AccessDeniedException")(s)
			s.beat().wantFailed("default", rotator.CredentialsNotSaved)
			c := s.check() // which leaves the escrow as it is
			c.wantWrong(map[string]string{"credentials_write": "PutSecretValue"})
			c.says(rotator.CheckedGrant, "with the refresh token that waits in escrow")
		})
	})
}

func TestCheckOfWhatIsNotThere(t *testing.T) {
	t.Run("no secrets", func(t *testing.T) {
		play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
			s.config("default", "{}")
			const create = "there is no such secret: deploy the stack with CreateSecrets=true, or: aws secretsmanager create-secret --name reltio-token-rotator/test/default/"
			s.check().wantWrong(map[string]string{
				"credentials": create + "credentials", "credentials_write": create + "credentials", "token_write": create + "token",
				"grant": "first", "refresh_token_age": "first",
			})
		})
	})
	t.Run("no connection", func(t *testing.T) {
		play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
			s.check().wantWrong(map[string]string{"connections": "no parameter /reltio-token-rotator/test/NAME/config exists"})
		})
	})
	t.Run("a name that is not allowed", func(t *testing.T) {
		play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
			s.config("Default", "{}")
			c := s.check()
			c.wantWrong(map[string]string{"config": `the connection's name "Default" is not allowed`, "token_host": "correct the config first"})
			if len(c.calls) != 1 {
				t.Errorf("calls: %v", c.calls)
			}
		})
	})
	t.Run("a connection that is disabled", func(t *testing.T) {
		play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
			s.seed("default", s.credentials())
			s.config("default", `{"enabled":false}`)
			c := s.check()
			c.wantWrong(nil)
			c.says(rotator.CheckedConfig, "disabled: nothing is refreshed")
		})
	})
}

func TestCheckThatCannotListFails(t *testing.T) {
	play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
		s.seed("default", s.credentials())
		denied("GetParametersByPath", "", "AccessDeniedException")(s)
		c := s.check()
		const path = "arn:aws:ssm:REGION:ACCOUNT:parameter/reltio-token-rotator/test"
		if c.err == nil || !strings.Contains(c.err.Error(), "state_unavailable: the connections could not be listed: denied (GetParametersByPath: AccessDeniedException); allow the function's role ssm:GetParametersByPath on "+path+" and "+path+"/*;") {
			t.Errorf("the error is %v", c.err)
		}
		if len(c.report.Checks) > 0 || len(c.logs) != 1 || c.logs[0]["level"] != "ERROR" {
			t.Errorf("%+v, %v", c.report, c.logs)
		}
	})
}

// What the check leaves when it cannot take it away again does no harm, and the
// next check takes it along.
func TestCheckParameterThatCannotBeDeleted(t *testing.T) {
	play(t, standreltio.Options{}, func(t *testing.T, s *stage) {
		s.seed("default", s.credentials())
		denied("DeleteParameter", "", "AccessDeniedException")(s)
		s.checkBeside(nil).wantWrong(map[string]string{
			"parameters": "was written and could not be deleted: denied (DeleteParameter: AccessDeniedException); allow the function's role ssm:DeleteParameter on " + ssmARN + "check and, for the escrow, " + ssmARN + "escrow",
		})
		s.beat().want("default", rotator.Refreshed)
		allowed(s)
		s.checkBeside(nil).wantWrong(nil)
		s.wantNoLabel("default")
	})
}
