package template_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"reltio-token-rotator/tests/harness/cfn"
)

// translated is the output of the SAM transform for template.yaml.
func translated(t *testing.T, parameters map[string]string) stack {
	t.Helper()
	return translatedFile(t, filepath.Join(root, "template.yaml"), parameters)
}

// translatedFile is the same for another template.
func translatedFile(t *testing.T, file string, parameters map[string]string) stack {
	t.Helper()
	python := filepath.Join(root, ".tools", "sam", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no SAM CLI: run make tools")
		}
		t.Skip("no SAM CLI: run make tools to have this tested")
	}
	text, err := exec.Command(python, "translate.py", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	template, err := cfn.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := cfn.New(template, parameters)
	if err != nil {
		t.Fatal(err)
	}
	return stack{s, s.Template, s.Parameters}
}

// SAM creates a role too. Many companies deny roles without a boundary.
func TestEveryTranslatedRoleTakesTheBoundary(t *testing.T) {
	const boundary = "arn:aws:iam::123456789012:policy/boundary"
	s := translated(t, map[string]string{"PermissionsBoundaryArn": boundary})
	roles := 0
	for id, resource := range s.template["Resources"].(object) {
		if resource.(object)["Type"] != "AWS::IAM::Role" {
			continue
		}
		roles++
		if got := s.properties(t, id)["PermissionsBoundary"]; got != boundary {
			t.Errorf("%s has the boundary %v", id, got)
		}
	}
	if roles != 2 {
		t.Errorf("%d roles, want the function's and the schedule's", roles)
	}
}

// The schedule invokes the function itself. Through the alias for reports it could
// not, and neither would run the current code if a version were in between.
func TestScheduleInvokesTheFunctionAndNotTheAlias(t *testing.T) {
	s := translated(t, nil)
	target := s.properties(t, "RotateFunctionHeartbeat")["Target"].(object)
	if want := []any{"RotateFunction", "Arn"}; !reflect.DeepEqual(target["Arn"], want) {
		t.Errorf("the schedule invokes %v, want %v", target["Arn"], want)
	}
	for id, raw := range s.template["Resources"].(object) {
		if raw.(object)["Type"] == "AWS::Lambda::Version" {
			t.Errorf("%s: there is a version of the function", id)
		}
	}
}

// One tag finds all resources of the stack and their costs.
func TestEverythingIsTagged(t *testing.T) {
	without := map[string]bool{ // these types have no tags in CloudFormation
		"AWS::IAM::ManagedPolicy": true, "AWS::Lambda::Alias": true, "AWS::Lambda::EventInvokeConfig": true, "AWS::Scheduler::Schedule": true,
		"AWS::SecretsManager::ResourcePolicy": true, "AWS::SNS::Subscription": true, "AWS::SNS::TopicPolicy": true,
	}
	for file, s := range map[string]stack{
		"template.yaml": translated(t, map[string]string{"AlarmEmail": "a@example.com"}), "connection.yaml": emea(t, nil),
	} {
		for id, raw := range s.template["Resources"].(object) {
			if kind := raw.(object)["Type"].(string); without[kind] || s.resource(t, id) == nil {
				continue
			}
			tagged := false
			switch tags := s.properties(t, id)["Tags"].(type) {
			case object:
				tagged = tags["reltio-token-rotator"] == "STACK"
			case []any:
				for _, tag := range tags {
					tagged = tagged || reflect.DeepEqual(tag, object{"Key": "reltio-token-rotator", "Value": "STACK"})
				}
			}
			if !tagged {
				t.Errorf("%s: %s is not tagged", file, id)
			}
		}
	}
}

// The alarms that tests/alarms replays are those that are deployed, and each
// alarm depends on a resource that SAM creates.
func TestTranslationLeavesAlarmsAsTheyAre(t *testing.T) {
	s := translated(t, nil)
	resources := s.template["Resources"].(object)
	seen := 0
	for id, raw := range newStack(t, nil).template["Resources"].(object) {
		if raw.(object)["Type"] != "AWS::CloudWatch::Alarm" {
			continue
		}
		seen++
		if !reflect.DeepEqual(raw, resources[id]) {
			t.Errorf("%s becomes %v", id, resources[id])
		}
		if first := raw.(object)["DependsOn"].(string); resources[first] == nil {
			t.Errorf("%s depends on %s, which does not exist", id, first)
		}
	}
	if seen != 5 {
		t.Errorf("%d alarms, want 5", seen)
	}
}
