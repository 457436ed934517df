package e2e_test

import (
	"crypto/x509"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/doctor"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// These tests are about what the doctor finds. Each of them also checks that the
// doctor changes nothing and shows no secret.

const (
	putCommand = "aws secretsmanager put-secret-value --secret-id reltio-token-rotator/test/default/credentials --secret-string file://credentials.json"
	secretARN  = "arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:reltio-token-rotator/test/default/"
	ssmARN     = "arn:PARTITION:ssm:REGION:ACCOUNT:parameter/reltio-token-rotator/test/default/"
)

func TestCheckOfAWorkingConnection(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
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
			"default credentials_write", "default token_write", "default parameters", "default token_lifetime", "default login", "default token_host",
		}
		if !slices.Equal(order, want) || c.report.Version != "test" {
			t.Errorf("the report of %q is %v", c.report.Version, order)
		}
		c.says(doctor.CheckGrant, "refresh_token would be used")
		c.says(doctor.CheckRefreshTokenAge, "0 days, it expires on 2000-01-29")
		c.says(doctor.CheckTokenHost, "auth.reltio.com:443 was reached: DNS, TCP, TLS 1.3 and its certificate, valid until 2001-01-01")
		calls := map[string]int{
			"GetParametersByPath": 1, "GetSecretValue": 1, "DescribeSecret": 2, "PutSecretValue": 2,
			"UpdateSecretVersionStage": 2, "PutParameter": 1, "DeleteParameter": 1,
		}
		if !reflect.DeepEqual(c.calls, calls) {
			t.Errorf("AWS calls were %v, want %v", c.calls, calls)
		}
		if dialled := s.Network.Dialled(); !slices.Equal(dialled, []string{"auth.reltio.com:443"}) {
			t.Errorf("dialled %q", dialled)
		}
		if len(c.logs) != 1 || c.logs[0]["msg"] != "check" || c.logs[0]["level"] != "INFO" {
			t.Errorf("logged %v", c.logs)
		}
		s.wantWorking("default")
	})
}

// A test version that became the secret's current value would be useless to jobs.
func TestCheckBeforeSeeding(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.Add("default")
		const first = "correct the credentials first"
		c := s.check()
		c.wantWrong(map[string]string{"credentials": "the credentials secret has no value yet; write one: " + putCommand, "grant": first, "refresh_token_age": first})
		c.says(doctor.CheckCredentialsWrite, "not checked before seeding")
		c.says(doctor.CheckTokenWrite, "not checked before seeding")
		if c.calls["PutSecretValue"] > 0 {
			t.Error("a secret without a value was written")
		}

		s.PutCredentials("default", s.credentials())
		c = s.check()
		c.wantWrong(nil)
		c.says(doctor.CheckTokenWrite, "not checked before seeding")
		if c.calls["PutSecretValue"] != 1 {
			t.Errorf("calls: %v", c.calls)
		}
	})
}

func TestCheckFinds(t *testing.T) {
	credentials := func(document string) func(*fixture) {
		return func(s *fixture) { s.AWS.PutSecret(harness.SecretName("default", "credentials"), document) }
	}
	unusable := func(says string) map[string]string {
		const first = "correct the credentials first"
		return map[string]string{"credentials": says, "grant": first, "refresh_token_age": first}
	}
	certificate := func(change func(*x509.Certificate)) func(*fixture) {
		return func(s *fixture) { s.Network.Certificate = change }
	}
	invalid := func(says string) map[string]string {
		return map[string]string{"config": says, "token_host": "correct the config first"}
	}
	for _, c := range []struct {
		name   string
		breaks func(*fixture)
		wrong  map[string]string
	}{
		{"credentials that are not JSON", credentials(`client_id=client`), unusable("not a JSON object; write a corrected value: " + putCommand)},
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
			map[string]string{"token_write": "not checked, because a first value would become current and the doctor could not see whether there is one: access was denied (DescribeSecret: AccessDeniedException); allow the function's role secretsmanager:DescribeSecret on " + secretARN + "token-??????"},
		},
		{
			"Secrets Manager that throttles", denied("PutSecretValue", "/token", "ThrottlingException"),
			map[string]string{"token_write": "the call failed (PutSecretValue: ThrottlingException); run the check again in a minute"},
		},
		{
			"parameters that may not be written", denied("PutParameter", "", "AccessDeniedException"),
			map[string]string{"parameters": "allow the function's role ssm:PutParameter on " + ssmARN + "state, " + ssmARN + "lease, " + ssmARN + "pending and " + ssmARN + "check"},
		},
		{"a typo in a config", configured(`{"refresh_befor_seconds":900}`), invalid(`config field "refresh_befor_seconds" is unknown; possible are token_url`)},
		{"a config that is not JSON", configured(`{`), invalid("aws ssm put-parameter --overwrite --name /reltio-token-rotator/test/default/config --value '{}'")},
		{"a host that is not allowed", configured(`{"token_url":"https://auth.reltio.example/oauth/token"}`), invalid("host auth.reltio.example is not within TOKEN_HOSTS (reltio.com)")},
		{
			"a host that does not exist", configured(`{"token_url":"https://auht.reltio.com/oauth/token"}`),
			map[string]string{"token_host": "auht.reltio.com:443 was not reached (DNS: its name was not resolved); check the spelling of token_url"},
		},
		{
			"no route to the host", func(s *fixture) { s.Network.NoRoute = true },
			map[string]string{"token_host": "auth.reltio.com:443 was not reached (TCP: timed out); in a VPC the subnets need a route for 0.0.0.0/0 to a NAT gateway"},
		},
		{
			"a host that refuses", func(s *fixture) { s.Network.Refuse = true },
			map[string]string{"token_host": "(TCP: the connection was refused); nothing listens there"},
		},
		{
			"a host without TLS", func(s *fixture) { s.Network.Plain = true },
			map[string]string{"token_host": "(TLS: the server does not speak TLS); check the port in token_url"},
		},
		{
			"a certificate that is not trusted", func(s *fixture) { s.Network.Untrusted = true },
			map[string]string{"token_host": "(certificate: its certificate was not accepted: its authority is unknown)"},
		},
		{
			"another host's certificate", certificate(func(c *x509.Certificate) { c.DNSNames = []string{"proxy.example"} }),
			map[string]string{"token_host": "it is for another host); check token_url, and whether a proxy"},
		},
		{
			"an expired certificate", certificate(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
			map[string]string{"token_host": "it has expired or is not valid yet"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				s.seed("default", s.credentials())
				s.beat().want("default", rotator.Refreshed)
				c.breaks(s)
				found := s.check()
				found.wantWrong(c.wrong)
				for _, address := range s.Network.Dialled() {
					if !strings.HasSuffix(address, ".reltio.com:443") {
						t.Errorf("dialled %s, which is not within TOKEN_HOSTS", address)
					}
				}
				if len(found.logs) != 1 || found.logs[0]["level"] != "WARN" {
					t.Errorf("logged %v", found.logs)
				}
			})
		})
	}
}

func TestCheckOfMissingResources(t *testing.T) {
	t.Run("no secrets", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.config("default", "{}")
			const create = "there is no such secret; deploy the stack with CreateSecrets=true, or create it: aws secretsmanager create-secret --name reltio-token-rotator/test/default/"
			s.check().wantWrong(map[string]string{
				"credentials": create + "credentials", "credentials_write": create + "credentials", "token_write": create + "token",
				"grant": "first", "refresh_token_age": "first",
			})
		})
	})
	t.Run("no connection", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.check().wantWrong(map[string]string{"connections": "no parameter /reltio-token-rotator/test/NAME/config exists"})
		})
	})
	t.Run("a name that is not allowed", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.config("Default", "{}")
			c := s.check()
			c.wantWrong(map[string]string{"config": `the connection's name "Default" is not allowed`, "token_host": "correct the config first"})
			if len(c.calls) != 1 {
				t.Errorf("calls: %v", c.calls)
			}
		})
	})
	t.Run("a connection that is disabled", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seed("default", s.credentials())
			s.config("default", `{"enabled":false}`)
			c := s.check()
			c.wantWrong(nil)
			c.says(doctor.CheckConfig, "the connection is disabled and is not refreshed")
		})
	})
}

func TestCheckThatCannotListFails(t *testing.T) {
	simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
		s.seed("default", s.credentials())
		denied("GetParametersByPath", "", "AccessDeniedException")(s)
		c := s.check()
		const path = "arn:PARTITION:ssm:REGION:ACCOUNT:parameter/reltio-token-rotator/test"
		if c.err == nil || !strings.Contains(c.err.Error(), "state_unavailable: the connections could not be listed: access was denied (GetParametersByPath: AccessDeniedException); allow the function's role ssm:GetParametersByPath on "+path+" and "+path+"/*;") {
			t.Errorf("the error is %v", c.err)
		}
		if len(c.report.Checks) > 0 || len(c.logs) != 1 || c.logs[0]["level"] != "ERROR" {
			t.Errorf("%+v, %v", c.report, c.logs)
		}
	})
}
