package template_test

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func heartbeat(t *testing.T, s stack) object {
	t.Helper()
	return s.properties(t, "RotateFunction")["Events"].(object)["Heartbeat"].(object)["Properties"].(object)
}

func TestFunction(t *testing.T) {
	function := newStack(t, nil).properties(t, "RotateFunction")
	want := object{
		"Runtime": "provided.al2023", "Architectures": []any{"x86_64"}, "MemorySize": "128", "Timeout": "180",
		"Role": "RotateRole.Arn",
		// No retries: the next heartbeat is the retry.
		"EventInvokeConfig": object{"MaximumRetryAttempts": "0", "MaximumEventAgeInSeconds": "60"},
		"LoggingConfig": object{
			"LogGroup": "RotateLog", "LogFormat": "JSON", "ApplicationLogLevel": "TRACE", "SystemLogLevel": "WARN",
		},
		"VpcConfig": nil,
	}
	for name, value := range want {
		if !reflect.DeepEqual(function[name], value) {
			t.Errorf("%s is %v, want %v", name, function[name], value)
		}
	}
}

// The alias has a fixed name, which the function compares, and always runs the
// current code.
func TestReportAlias(t *testing.T) {
	s := newStack(t, nil)
	for id, want := range map[string]object{
		"ReportAlias": {"Name": "report", "FunctionName": "RotateFunction", "FunctionVersion": "$LATEST", "Description": "Accepts only reports of dead tokens"},
		"ReportAliasInvokeConfig": {
			"FunctionName": "RotateFunction", "Qualifier": "report", "MaximumRetryAttempts": "0", "MaximumEventAgeInSeconds": "60",
		},
	} {
		if got := s.properties(t, id); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", id, got, want)
		}
	}
	if code := read(t, "functions/rotate/main.go"); !strings.Contains(code, `reportAlias = "report"`) {
		t.Error("functions/rotate does not have the alias's name")
	}
}

func TestFunctionInAVPC(t *testing.T) {
	got := newStack(t, map[string]string{"SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"}).properties(t, "RotateFunction")["VpcConfig"]
	want := object{"SubnetIds": []any{"subnet-1", "subnet-2"}, "SecurityGroupIds": []any{"sg-1"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("VpcConfig is %v, want %v", got, want)
	}
}

func TestScheduleFiresEveryMinuteWithoutRetries(t *testing.T) {
	got := heartbeat(t, newStack(t, nil))
	want := object{
		"ScheduleExpression": "rate(1 minute)", "State": "ENABLED", "OmitName": "true",
		"RetryPolicy": object{"MaximumRetryAttempts": "0", "MaximumEventAgeInSeconds": "60"},
		"Description": "Heartbeat of reltio-token-rotator/STACK",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("schedule is %v, want %v", got, want)
	}
}

func TestSecretsHaveNoValueAndAreRetained(t *testing.T) {
	for id, name := range map[string]string{
		"CredentialsSecret": "reltio-token-rotator/STACK/default/credentials",
		"TokenSecret":       "reltio-token-rotator/STACK/default/token",
	} {
		secret := newStack(t, nil).resource(t, id)
		if secret["DeletionPolicy"] != "RetainExceptOnCreate" || secret["UpdateReplacePolicy"] != "Retain" {
			t.Errorf("%s: DeletionPolicy %v, UpdateReplacePolicy %v", id, secret["DeletionPolicy"], secret["UpdateReplacePolicy"])
		}
		properties := secret["Properties"].(object)
		if properties["Name"] != name {
			t.Errorf("%s is named %v, want %s", id, properties["Name"], name)
		}
		for _, holdsValue := range []string{"SecretString", "GenerateSecretString"} {
			if properties[holdsValue] != nil {
				t.Errorf("the template gives %s a value (%s)", id, holdsValue)
			}
		}
		if got := newStack(t, map[string]string{"KmsKeyArn": key}).properties(t, id)["KmsKeyId"]; got != key {
			t.Errorf("%s is encrypted with %v", id, got)
		}
		if newStack(t, map[string]string{"CreateSecrets": "false"}).resource(t, id) != nil {
			t.Errorf("%s is created although it exists already", id)
		}
	}
}

// The parameters start as {}, which means default, unknown and free.
func TestParametersStartEmpty(t *testing.T) {
	s := newStack(t, nil)
	for id, name := range map[string]string{"Config": "config", "State": "state", "Lease": "lease"} {
		raw := s.template["Resources"].(object)[id].(object)["Properties"].(object)
		if raw["Value"] != "{}" || raw["Type"] != "String" {
			t.Errorf("%s: Value %v, Type %v", id, raw["Value"], raw["Type"])
		}
		if got, want := s.render(raw["Name"]), "/reltio-token-rotator/STACK/default/"+name; got != want {
			t.Errorf("%s is named %v, want %s", id, got, want)
		}
	}
}

func TestLogRetention(t *testing.T) {
	log := newStack(t, map[string]string{"LogRetentionDays": "7", "KmsKeyArn": key}).properties(t, "RotateLog")
	if log["RetentionInDays"] != "7" || log["KmsKeyId"] != key || log["LogGroupName"] != "/aws/lambda/reltio-token-rotator/STACK" {
		t.Errorf("log group is %v", log)
	}
}

func TestOutputs(t *testing.T) {
	s := newStack(t, nil)
	got := object{}
	for name, output := range s.template["Outputs"].(object) {
		got[name] = s.render(output.(object)["Value"])
	}
	want := object{
		"FunctionName":          "RotateFunction",
		"CredentialsSecretName": "reltio-token-rotator/STACK/default/credentials",
		"TokenSecretName":       "reltio-token-rotator/STACK/default/token",
		"TokenSecretArn":        "TokenSecret",
		"ReaderPolicyArn":       "ReaderPolicy",
		"ReporterPolicyArn":     "ReporterPolicy",
		"AlarmTopicArn":         "AlarmTopic",
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("output %s is %v, want %v", name, got[name], value)
		}
	}
	retained := newStack(t, map[string]string{"CreateSecrets": "false"})
	partial := retained.render(retained.template["Outputs"].(object)["TokenSecretArn"].(object)["Value"])
	if partial != secret+"/default/token" {
		t.Errorf("TokenSecretArn is %v when the stack does not create the secrets", partial)
	}
}

func TestParameterValues(t *testing.T) {
	parameters := newStack(t, nil).template["Parameters"].(object)
	for _, test := range []struct {
		parameter          string
		accepted, rejected []string
	}{
		{
			"TokenUrl",
			[]string{"https://auth.reltio.com/oauth/token", "https://auth-stg.cloud.reltio.com:8443/oauth/token", "http://127.0.0.1:8080/oauth/token", "http://host.docker.internal:1/oauth/token"},
			[]string{"", "http://auth.reltio.com/oauth/token", "https://user@auth.reltio.com/oauth/token", "https://auth.reltio.com", "https://auth.reltio.com/oauth/token?x=1", "https://Auth.reltio.com/oauth/token", "http://127.0.0.1.evil.com/oauth/token"},
		},
		{
			"TokenHosts",
			[]string{"reltio.com", "reltio.com,127.0.0.1", "host.docker.internal"},
			[]string{"", "reltio.com, other.com", "https://reltio.com", "*.reltio.com", "reltio.com:443", "Reltio.com", ".reltio.com", "reltio.com,"},
		},
		{
			"AwsEndpointUrl",
			[]string{"", "http://127.0.0.1:4566", "http://localhost:4566/", "http://host.docker.internal:4566"},
			[]string{"https://secretsmanager.evil.com", "http://10.0.0.1:4566", "http://127.0.0.1.evil.com", "http://localhost@evil.com"},
		},
		{
			"KmsKeyArn",
			[]string{"", key, "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-1234abcd"},
			[]string{"alias/my-key", "arn:aws:kms:eu-west-1:123456789012:alias/my-key", "11111111-2222-3333-4444-555555555555"},
		},
		{"ReaderPrincipals", readersAccepted(), readersRejected()},
		{
			"HttpsProxy",
			[]string{"", "http://proxy.example.com:3128", "https://proxy", "http://10.0.0.1:8080/"},
			[]string{"proxy:3128", "http://user:password@proxy:3128", "http://user@proxy", "http://proxy/path", "http://proxy?x=1", "socks5://proxy", "http://", "http://proxy:"},
		},
		{"NoProxy", []string{"", "amazonaws.com", ".example.com,10.0.0.0/8,host:443,fd00::/8"}, []string{"*", "a, b", "a,", "*.example.com"}},
		{"AlarmEmail", []string{"", "oncall@example.com", "a.b+c@d-e.example.co.uk"}, []string{"oncall", "a@b", "a@b.c, d@e.f", "A <a@b.c>"}},
		{"SubnetIds", []string{"", "subnet-0123abcd", "subnet-1,subnet-2"}, []string{"vpc-1", "subnet-", "Subnet-1", "subnet-1, subnet-2", "subnet-1,", ","}},
		{"SecurityGroupIds", []string{"", "sg-0123abcd", "sg-1,sg-2"}, []string{"default", "sg-", "sg-1 sg-2", "sg-1,"}},
		{
			"ExistingAlarmTopicArn",
			[]string{"", "arn:aws:sns:eu-west-1:123456789012:alarms", "arn:aws-cn:sns:cn-north-1:123456789012:Alarms_1-a"},
			[]string{"alarms", "arn:aws:sns:eu-west-1:123456789012:alarms.fifo", "arn:aws:sqs:eu-west-1:123456789012:alarms"},
		},
		{
			"PermissionsBoundaryArn",
			[]string{"", "arn:aws:iam::123456789012:policy/boundaries/dev", "arn:aws:iam::aws:policy/PowerUserAccess"},
			[]string{"boundary", "arn:aws:iam::123456789012:role/boundary"},
		},
	} {
		definition := parameters[test.parameter].(object)
		pattern := regexp.MustCompile(definition["AllowedPattern"].(string))
		// CloudFormation requires that the whole value matches.
		matches := func(value string) bool {
			found := pattern.FindString(value)
			return found == value && pattern.MatchString(value)
		}
		for _, value := range test.accepted {
			if !matches(value) {
				t.Errorf("%s rejects %q", test.parameter, value)
			}
		}
		for _, value := range test.rejected {
			if matches(value) {
				t.Errorf("%s accepts %q", test.parameter, value)
			}
		}
	}
}

// Without a ConstraintDescription, CloudFormation only says "failed to satisfy
// constraint". Every parameter has one, and a description.
func TestEveryParameterIsDescribed(t *testing.T) {
	parameters := newStack(t, nil).template["Parameters"].(object)
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		definition := parameters[name].(object)
		if definition["Description"] == nil || definition["ConstraintDescription"] == nil {
			t.Errorf("%s: Description or ConstraintDescription is missing", name)
		}
		if definition["Default"] == nil {
			t.Errorf("%s has no default: a guided deployment would have to ask for it", name)
		}
		constrained := slices.ContainsFunc([]string{"AllowedPattern", "AllowedValues", "MinValue"}, func(field string) bool { return definition[field] != nil })
		if !constrained {
			t.Errorf("%s has no constraint", name)
		}
	}
}
