package template_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// emea is connection.yaml for the connection emea, with further parameters.
func emea(t *testing.T, parameters map[string]string) stack {
	t.Helper()
	all := map[string]string{"Stack": "STACK", "Connection": "emea"}
	maps.Copy(all, parameters)
	s := newStackOf(t, "connection.yaml", all)
	s.Pseudo["AWS::StackName"] = "a-stack-of-its-own"
	return s
}

// An added connection has the same resources as the first one, under another
// name. The permissions of the function and of jobs depend on these names.
func TestAddedConnectionIsLikeTheFirst(t *testing.T) {
	for _, parameters := range []map[string]string{
		nil,
		{"KmsKeyArn": key},
		{"CreateSecrets": "false"},
		{"KmsKeyArn": key, "ReaderPrincipals": "210987654321"},
		{"KmsKeyArn": key, "ReaderPrincipals": "210987654321", "CreateSecrets": "false"},
	} {
		first, added := newStack(t, parameters), emea(t, parameters)
		for _, id := range []string{"CredentialsSecret", "TokenSecret", "Config", "State", "Lease", "ReaderPolicy", "TokenReaders"} {
			want, got := first.resource(t, id), added.resource(t, id)
			delete(want, "DependsOn")
			delete(got, "DependsOn")
			text := func(resource object) string {
				encoded, err := json.Marshal(resource)
				if err != nil {
					t.Fatal(err)
				}
				return string(encoded)
			}
			if text(got) != strings.ReplaceAll(text(want), "STACK/default", "STACK/emea") {
				t.Errorf("%v: %s is\n  %s\nthe first connection's is\n  %s", parameters, id, text(got), text(want))
			}
		}
		for name, output := range added.template["Outputs"].(object) {
			want := fmt.Sprint(first.render(first.template["Outputs"].(object)[name].(object)["Value"]))
			got := fmt.Sprint(added.render(output.(object)["Value"]))
			if got != strings.ReplaceAll(want, "STACK/default", "STACK/emea") {
				t.Errorf("%v: output %s is %s, the first connection's %s", parameters, name, got, want)
			}
		}
	}
}

func TestAddedConnectionHasNothingElse(t *testing.T) {
	got := slices.Sorted(maps.Keys(emea(t, nil).template["Resources"].(object)))
	want := []string{"Config", "CredentialsSecret", "Lease", "ReaderPolicy", "State", "TokenReaders", "TokenSecret"}
	if !slices.Equal(got, want) {
		t.Errorf("connection.yaml has %v, want %v", got, want)
	}
}

// A connection exists as long as its config does. The config is created last and
// deleted first, so that no heartbeat finds an incomplete connection, and no run
// that starts after the deletion writes state.
func TestConfigIsCreatedLastAndDeletedFirst(t *testing.T) {
	if got, want := emea(t, nil).resource(t, "Config")["DependsOn"], []any{"State", "Lease", "ReaderPolicy"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Config depends on %v, want %v", got, want)
	}
	// In the stack itself the function is created last, because it writes them.
	if got, want := newStack(t, nil).resource(t, "RotateFunction")["DependsOn"], []any{"Config", "State", "Lease"}; !reflect.DeepEqual(got, want) {
		t.Errorf("RotateFunction depends on %v, want %v", got, want)
	}
}

func TestConnectionParameterValues(t *testing.T) {
	parameters := emea(t, nil).template["Parameters"].(object)
	for _, test := range []struct {
		parameter          string
		accepted, rejected []string
	}{
		{"Stack", []string{"reltio-tokens", "A1"}, []string{"", "a/b", "-a", "1a", "a_b"}},
		{"Connection", []string{"emea", "0", "a-b-c", strings.Repeat("a", 32)}, []string{"", "EMEA", "-a", "a/b", "a_b", "a b", strings.Repeat("a", 33)}},
		{"KmsKeyArn", []string{"", key}, []string{"alias/my-key"}},
		{"ReaderPrincipals", readersAccepted(), readersRejected()},
	} {
		pattern := regexp.MustCompile(parameters[test.parameter].(object)["AllowedPattern"].(string))
		for _, value := range test.accepted {
			if !pattern.MatchString(value) {
				t.Errorf("%s rejects %q", test.parameter, value)
			}
		}
		for _, value := range test.rejected {
			if pattern.MatchString(value) {
				t.Errorf("%s accepts %q", test.parameter, value)
			}
		}
	}
	for name, raw := range parameters {
		definition := raw.(object)
		if definition["Description"] == nil || definition["ConstraintDescription"] == nil {
			t.Errorf("%s: Description or ConstraintDescription is missing", name)
		}
	}
}

// Every parameter has one group and one label in the console.
func TestEveryParameterHasItsPlaceInTheConsole(t *testing.T) {
	for file, s := range map[string]stack{"template.yaml": newStack(t, nil), "connection.yaml": emea(t, nil)} {
		form := s.template["Metadata"].(object)["AWS::CloudFormation::Interface"].(object)
		grouped := map[string]int{}
		for _, group := range form["ParameterGroups"].([]any) {
			for _, name := range group.(object)["Parameters"].([]any) {
				grouped[name.(string)]++
			}
		}
		labels := form["ParameterLabels"].(object)
		for name := range s.parameters {
			if grouped[name] != 1 || labels[name] == nil {
				t.Errorf("%s: %s is in %d groups, its label is %v", file, name, grouped[name], labels[name])
			}
		}
		if len(grouped) != len(s.parameters) || len(labels) != len(s.parameters) {
			t.Errorf("%s: the form names parameters that do not exist", file)
		}
	}
}
