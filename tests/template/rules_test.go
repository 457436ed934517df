package template_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"
)

// The rules are evaluated before anything is created.
func TestRules(t *testing.T) {
	const (
		network = "Set both SubnetIds and SecurityGroupIds, for a function in a VPC, or neither."
		email   = "AlarmEmail subscribes to the topic that the stack creates. With ExistingAlarmTopicArn, leave it empty and subscribe to that topic."
		readers = "ReaderPrincipals needs KmsKeyArn, because other accounts cannot use the AWS managed key of Secrets Manager."
		topic   = "arn:aws:sns:eu-west-1:123456789012:alarms"
	)
	for _, test := range []struct {
		parameters map[string]string
		violated   []string
	}{
		{nil, nil},
		{map[string]string{"SubnetIds": "subnet-1", "SecurityGroupIds": "sg-1,sg-2"}, nil},
		{map[string]string{"SubnetIds": "subnet-1"}, []string{network}},
		{map[string]string{"SecurityGroupIds": "sg-1"}, []string{network}},
		{map[string]string{"AlarmEmail": "a@example.com"}, nil},
		{map[string]string{"ExistingAlarmTopicArn": topic}, nil},
		{map[string]string{"AlarmEmail": "a@example.com", "ExistingAlarmTopicArn": topic}, []string{email}},
		{map[string]string{"ReaderPrincipals": "210987654321", "KmsKeyArn": key}, nil},
		{map[string]string{"ReaderPrincipals": "210987654321"}, []string{readers}},
	} {
		if got := newStack(t, test.parameters).Violated(); !slices.Equal(got, test.violated) {
			t.Errorf("%v violates %q, want %q", test.parameters, got, test.violated)
		}
	}
	if got := emea(t, map[string]string{"Connection": "default"}).Violated(); len(got) != 1 {
		t.Errorf("the connection default violates %q", got)
	}
	if got := emea(t, map[string]string{"ReaderPrincipals": "210987654321"}).Violated(); !slices.Equal(got, []string{readers}) {
		t.Errorf("readers without a key violate %q", got)
	}
	if got := emea(t, nil).Violated(); got != nil {
		t.Errorf("the connection emea violates %q", got)
	}
}

// The functions in rules are those that AWS documents for rules and that compare
// strings.
func TestRulesCompareStrings(t *testing.T) {
	for file, s := range map[string]stack{"template.yaml": newStack(t, nil), "connection.yaml": emea(t, nil)} {
		text, err := json.Marshal(s.template["Rules"])
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`"(Fn::\w+)":`).FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains([]string{"Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals"}, name[1]) {
				t.Errorf("%s: a rule uses %s", file, name[1])
			}
		}
		for name, definition := range s.template["Parameters"].(object) {
			if kind := definition.(object)["Type"]; kind != "String" && kind != "Number" {
				t.Errorf("%s: the parameter %s is a %s", file, name, kind)
			}
		}
	}
}
