package template_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	key       = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
	parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/reltio-token-rotator/STACK"
	secret    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:reltio-token-rotator/STACK"
	viaKey    = `{"StringEquals":{"kms:ViaService":"secretsmanager.eu-west-1.amazonaws.com"},"StringLike":{"kms:EncryptionContext:SecretARN":"%s"}}`
)

// Each policy as text. The local emulator authorizes GetParametersByPath on "*"
// and ignores the kms conditions and lambda:SourceFunctionArn, so this test is
// what checks them.
func TestPermissionsAreThese(t *testing.T) {
	function := []string{
		"Allow ssm:GetParametersByPath on " + parameter + ", " + parameter + "/*",
		"Allow ssm:PutParameter on " + parameter + "/*/state, " + parameter + "/*/lease, " + parameter + "/*/pending, " + parameter + "/*/check",
		"Allow ssm:GetParameter on " + parameter + "/*/lease",
		"Allow ssm:GetParameterHistory on " + parameter + "/*/state, " + parameter + "/*/lease, " + parameter + "/*/pending",
		"Allow ssm:DeleteParameter on " + parameter + "/*/pending, " + parameter + "/*/check",
		"Allow secretsmanager:GetSecretValue, secretsmanager:PutSecretValue, secretsmanager:DescribeSecret, secretsmanager:UpdateSecretVersionStage on " +
			secret + "/*/credentials-??????",
		"Allow secretsmanager:PutSecretValue, secretsmanager:DescribeSecret, secretsmanager:UpdateSecretVersionStage on " + secret + "/*/token-??????",
		"Allow logs:CreateLogStream, logs:PutLogEvents on arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/reltio-token-rotator/STACK:*",
	}
	withKey := map[string]string{"KmsKeyArn": key}
	inVpc := map[string]string{"SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"}
	for _, test := range []struct {
		name, resource string
		parameters     map[string]string
		want           []string
	}{
		{"function", "RotateRole", nil, function},
		{"function with a customer key", "RotateRole", withKey, append(
			slices.Clone(function),
			"Allow kms:Decrypt, kms:GenerateDataKey on "+key+" if "+fmt.Sprintf(viaKey, secret+"/*"),
		)},
		{"function in a VPC", "RotateRole", inVpc, append(
			slices.Clone(function),
			"Allow ec2:CreateNetworkInterface, ec2:DescribeNetworkInterfaces, ec2:DescribeSubnets, ec2:DeleteNetworkInterface, ec2:AssignPrivateIpAddresses, ec2:UnassignPrivateIpAddresses on *",
			`Deny ec2:* on * if {"ArnLike":{"lambda:SourceFunctionArn":"arn:aws:lambda:eu-west-1:123456789012:function:*"}}`,
		)},
		{"reader", "ReaderPolicy", nil, []string{
			"Allow secretsmanager:GetSecretValue, secretsmanager:DescribeSecret on " + secret + "/default/token-??????",
		}},
		{"reader with a customer key", "ReaderPolicy", withKey, []string{
			"Allow secretsmanager:GetSecretValue, secretsmanager:DescribeSecret on " + secret + "/default/token-??????",
			"Allow kms:Decrypt on " + key + " if " + fmt.Sprintf(viaKey, secret+"/default/token-??????"),
		}},
		{"reporter", "ReporterPolicy", nil, []string{"Allow lambda:InvokeFunction on ReportAlias"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := statements(t, newStack(t, test.parameters), test.resource)
			if !slices.Equal(got, test.want) {
				t.Errorf("%s grants\n  %s\nwant\n  %s", test.resource, strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

// statements returns a role's or a managed policy's statements, a line each.
func statements(t *testing.T, s stack, id string) []string {
	t.Helper()
	properties := s.properties(t, id)
	documents := []any{properties["PolicyDocument"]}
	if policies, ok := properties["Policies"].([]any); ok {
		documents = nil
		for _, policy := range policies {
			documents = append(documents, policy.(object)["PolicyDocument"])
		}
	}
	var lines []string
	for _, document := range documents {
		for _, item := range document.(object)["Statement"].([]any) {
			statement := item.(object)
			line := fmt.Sprintf("%s %s on %s", statement["Effect"],
				strings.Join(texts(statement["Action"]), ", "), strings.Join(texts(statement["Resource"]), ", "))
			if condition, ok := statement["Condition"]; ok {
				text, err := json.Marshal(condition)
				if err != nil {
					t.Fatal(err)
				}
				line += " if " + string(text)
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// texts returns one string or a list of them as a list.
func texts(value any) []string {
	list, ok := value.([]any)
	if !ok {
		return []string{fmt.Sprint(value)}
	}
	out := make([]string, 0, len(list))
	for _, item := range list {
		out = append(out, fmt.Sprint(item))
	}
	return out
}

func TestEveryRoleTakesTheBoundary(t *testing.T) {
	const boundary = "arn:aws:iam::123456789012:policy/boundary"
	with, without := newStack(t, map[string]string{"PermissionsBoundaryArn": boundary}), newStack(t, nil)
	roles := map[string]func(stack) any{
		"RotateRole": func(s stack) any { return s.properties(t, "RotateRole")["PermissionsBoundary"] },
		"the schedule's": func(s stack) any {
			return heartbeat(t, s)["PermissionsBoundary"]
		},
	}
	for name, read := range roles {
		if got := read(with); got != boundary {
			t.Errorf("%s role has the boundary %v", name, got)
		}
		if got := read(without); got != nil {
			t.Errorf("%s role has the boundary %v although none is set", name, got)
		}
	}
	for id, resource := range with.template["Resources"].(object) {
		if resource.(object)["Type"] == "AWS::IAM::Role" && id != "RotateRole" {
			t.Errorf("role %s is not checked here", id)
		}
	}
}
