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

// emea is connection.yaml with its two names given, and what else is named.
func emea(t *testing.T, parameters map[string]string) stack {
	t.Helper()
	all := map[string]string{"Stack": "STACK", "Connection": "emea"}
	maps.Copy(all, parameters)
	s := newStackOf(t, "connection.yaml", all)
	s.Pseudo["AWS::StackName"] = "a-stack-of-its-own"
	return s
}

// What a further connection has is what the first one has, by another name: the
// function's permissions and the jobs' are given by these names.
func TestFurtherConnectionIsLikeTheFirst(t *testing.T) {
	for _, parameters := range []map[string]string{nil, {"KmsKeyArn": key}, {"CreateSecrets": "false"}} {
		first, further := newStack(t, parameters), emea(t, parameters)
		for _, id := range []string{"CredentialsSecret", "TokenSecret", "Config", "State", "Lease", "ReaderPolicy"} {
			want, got := first.resource(t, id), further.resource(t, id)
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
		for name, output := range further.template["Outputs"].(object) {
			want := fmt.Sprint(first.render(first.template["Outputs"].(object)[name].(object)["Value"]))
			got := fmt.Sprint(further.render(output.(object)["Value"]))
			if got != strings.ReplaceAll(want, "STACK/default", "STACK/emea") {
				t.Errorf("%v: output %s is %s, the first connection's %s", parameters, name, got, want)
			}
		}
	}
}

func TestFurtherConnectionHasNothingElse(t *testing.T) {
	got := slices.Sorted(maps.Keys(emea(t, nil).template["Resources"].(object)))
	want := []string{"Config", "CredentialsSecret", "Lease", "ReaderPolicy", "State", "TokenSecret"}
	if !slices.Equal(got, want) {
		t.Errorf("connection.yaml has %v, want %v", got, want)
	}
}

// A connection exists as long as its config does. Made last and removed first,
// no heartbeat sees half of one, and none that begins later writes state anew.
func TestConfigIsMadeLastAndRemovedFirst(t *testing.T) {
	if got, want := emea(t, nil).resource(t, "Config")["DependsOn"], []any{"State", "Lease", "ReaderPolicy"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Config depends on %v, want %v", got, want)
	}
	// In the stack itself it is the function that would write anew.
	if got, want := newStack(t, nil).resource(t, "RotateFunction")["DependsOn"], []any{"Config", "State", "Lease"}; !reflect.DeepEqual(got, want) {
		t.Errorf("RotateFunction depends on %v, want %v", got, want)
	}
}

// What is left out comes from the stack, so it must not stand there empty.
func TestConfigHoldsWhatWasGiven(t *testing.T) {
	for _, test := range []struct {
		parameters map[string]string
		want       string
	}{
		{nil, `{}`},
		{map[string]string{"TokenUrl": "https://auth-stg.reltio.com/oauth/token"}, `{"token_url":"https://auth-stg.reltio.com/oauth/token"}`},
		{map[string]string{"RefreshBeforeSeconds": "900"}, `{"refresh_before_seconds":900}`},
		{map[string]string{"Scope": "read write"}, `{"scope":"read write"}`},
		{map[string]string{"Enabled": "false"}, `{"enabled":false}`},
		{
			map[string]string{"TokenUrl": "https://a.reltio.com/t", "RefreshBeforeSeconds": "120", "Scope": "a", "Enabled": "false"},
			`{"token_url":"https://a.reltio.com/t","refresh_before_seconds":120,"scope":"a","enabled":false}`,
		},
	} {
		got := emea(t, test.parameters).properties(t, "Config")["Value"]
		if got != test.want {
			t.Errorf("%v makes the config %v, want %s", test.parameters, got, test.want)
		}
		if !json.Valid([]byte(got.(string))) {
			t.Errorf("%v makes a config that is no JSON: %v", test.parameters, got)
		}
	}
}

func TestConnectionParameterValues(t *testing.T) {
	parameters := emea(t, nil).template["Parameters"].(object)
	for _, test := range []struct {
		parameter    string
		good, refuse []string
	}{
		{"Stack", []string{"reltio-tokens", "A1"}, []string{"", "a/b", "-a", "1a", "a_b"}},
		{"Connection", []string{"emea", "0", "a-b-c", strings.Repeat("a", 32)}, []string{"", "EMEA", "-a", "a/b", "a_b", "a b", strings.Repeat("a", 33)}},
		{"TokenUrl", []string{"", "https://auth-stg.reltio.com/oauth/token"}, []string{"http://auth.reltio.com/oauth/token", `https://auth.reltio.com/"`, "https://u@auth.reltio.com/t"}},
		{"RefreshBeforeSeconds", []string{"", "120", "199", "200", "999", "1000", "9999", "10000", "39999", "42999", "43200"}, []string{"0", "119", "0120", "43201", "43999", "44000", "99999", "100000", "1e3", "-120", "120s"}},
		{"Scope", []string{"", "read", "read write", "urn:x:y/z"}, []string{" ", "a  b", " a", "a ", `a"`, `a\`, "a\nb"}},
		{"KmsKeyArn", []string{"", key}, []string{"alias/my-key"}},
	} {
		pattern := regexp.MustCompile(parameters[test.parameter].(object)["AllowedPattern"].(string))
		for _, value := range test.good {
			if !pattern.MatchString(value) {
				t.Errorf("%s refuses %q", test.parameter, value)
			}
		}
		for _, value := range test.refuse {
			if pattern.MatchString(value) {
				t.Errorf("%s takes %q", test.parameter, value)
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

// What a person fills in is grouped and labelled.
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
			t.Errorf("%s: the form names parameters that there are not", file)
		}
	}
}
