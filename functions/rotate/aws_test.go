package main

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// lambdaGives sets the variables that Lambda sets for every function.
func lambdaGives(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1",
		"AWS_ACCESS_KEY_ID": "ASIA1", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "session",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_SSM": "", "AWS_USE_FIPS_ENDPOINT": "", "AWS_MAX_ATTEMPTS": "", "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
}

// The function reads from the environment what the SDK's own loader would read.
func TestTheSDKIsConfiguredAsItWouldConfigureItself(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"on Lambda":      nil,
		"a local run":    {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
		"one service":    {"AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:4567"},
		"FIPS endpoints": {"AWS_USE_FIPS_ENDPOINT": "true"},
	} {
		t.Run(name, func(t *testing.T) {
			lambdaGives(t)
			for name, value := range variables {
				t.Setenv(name, value)
			}
			got, err := awsConfig(nil)
			if err != nil {
				t.Fatal(err)
			}
			want, err := config.LoadDefaultConfig(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			a, b := ssm.NewFromConfig(got).Options(), ssm.NewFromConfig(want).Options()
			if a.Region != b.Region || a.Region != "eu-central-1" || aws.ToString(a.BaseEndpoint) != aws.ToString(b.BaseEndpoint) ||
				a.EndpointOptions.UseFIPSEndpoint != b.EndpointOptions.UseFIPSEndpoint || a.RetryMode != b.RetryMode || a.Retryer.MaxAttempts() != b.Retryer.MaxAttempts() {
				t.Errorf("Parameter Store: %+v\nwant %+v", a, b)
			}
			c, d := secretsmanager.NewFromConfig(got).Options(), secretsmanager.NewFromConfig(want).Options()
			if c.Region != d.Region || aws.ToString(c.BaseEndpoint) != aws.ToString(d.BaseEndpoint) || c.EndpointOptions.UseFIPSEndpoint != d.EndpointOptions.UseFIPSEndpoint {
				t.Errorf("Secrets Manager: %+v\nwant %+v", c, d)
			}
			mine, err := got.Credentials.Retrieve(t.Context())
			if err != nil || mine.AccessKeyID != "ASIA1" || mine.SecretAccessKey != "key" || mine.SessionToken != "session" || mine.CanExpire {
				t.Errorf("credentials: %v", err)
			}
		})
	}
}

func TestAnEnvironmentThatTheSDKRefuses(t *testing.T) {
	lambdaGives(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "three")
	if _, err := awsConfig(nil); err == nil {
		t.Error("accepted")
	}
}

func TestWithoutCredentialsNothingIsSigned(t *testing.T) {
	lambdaGives(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	cfg, err := awsConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cfg.Credentials.Retrieve(t.Context()); err == nil {
		t.Error("there are credentials")
	}
}
