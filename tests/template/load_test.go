// Package template_test reads template.yaml as CloudFormation would and asserts
// what no emulator enforces, and what must not drift from the code.
package template_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// root is the project's folder.
var root = filepath.Join("..", "..")

// object is a mapping of the template; functions such as !Sub are in their long
// form, {"Fn::Sub": …}.
type object = map[string]any

func load(t *testing.T, file string) object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return long(document.Content[0]).(object)
}

// long turns YAML into values, with the short forms of functions made long.
func long(node *yaml.Node) any {
	var value any
	switch node.Kind {
	case yaml.MappingNode:
		m := object{}
		for i := 0; i < len(node.Content); i += 2 {
			m[node.Content[i].Value] = long(node.Content[i+1])
		}
		value = m
	case yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for _, item := range node.Content {
			list = append(list, long(item))
		}
		value = list
	default:
		value = node.Value
	}
	if name, short := strings.CutPrefix(node.Tag, "!"); short && !strings.HasPrefix(node.Tag, "!!") {
		if name != "Ref" && name != "Condition" {
			name = "Fn::" + name
		}
		return object{name: value}
	}
	return value
}

// stack is the template with parameters given, for evaluating its functions.
type stack struct {
	template   object
	parameters map[string]string
}

// removed is what AWS::NoValue becomes; rendering drops it.
type removed struct{}

var known = map[string]string{
	"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012", "AWS::StackName": "STACK",
}

// newStack gives the parameters named, and the defaults of the others.
func newStack(t *testing.T, parameters map[string]string) stack {
	t.Helper()
	s := stack{load(t, "template.yaml"), map[string]string{}}
	for name, definition := range s.template["Parameters"].(object) {
		s.parameters[name] = fmt.Sprint(definition.(object)["Default"])
	}
	for name, value := range parameters {
		if _, ok := s.parameters[name]; !ok {
			t.Fatalf("the template has no parameter %s", name)
		}
		s.parameters[name] = value
	}
	return s
}

// resource returns a resource as CloudFormation would see it, nil where its
// condition is not met.
func (s stack) resource(t *testing.T, id string) object {
	t.Helper()
	raw, ok := s.template["Resources"].(object)[id].(object)
	if !ok {
		t.Fatalf("the template has no resource %s", id)
	}
	if condition, ok := raw["Condition"].(string); ok && !s.condition(condition) {
		return nil
	}
	return s.render(raw).(object)
}

func (s stack) properties(t *testing.T, id string) object {
	t.Helper()
	return s.resource(t, id)["Properties"].(object)
}

func (s stack) condition(name string) bool {
	return s.render(s.template["Conditions"].(object)[name]).(bool)
}

var placeholder = regexp.MustCompile(`\$\{([A-Za-z0-9:.]+)\}`)

// render evaluates the functions of value. A resource's Ref and GetAtt become
// the logical id, and the id and attribute.
func (s stack) render(value any) any {
	switch value := value.(type) {
	case []any:
		list := []any{}
		for _, item := range value {
			if item = s.render(item); item != (removed{}) {
				list = append(list, item)
			}
		}
		return list
	case object:
		if len(value) == 1 {
			for name, argument := range value {
				if result, ok := s.function(name, argument); ok {
					return result
				}
			}
		}
		m := object{}
		for key, item := range value {
			if item = s.render(item); item != (removed{}) {
				m[key] = item
			}
		}
		return m
	}
	return value
}

func (s stack) function(name string, argument any) (result any, ok bool) {
	arguments, _ := argument.([]any)
	switch name {
	case "Ref":
		return s.ref(argument.(string)), true
	case "Fn::GetAtt":
		return argument, true
	case "Fn::Sub":
		return placeholder.ReplaceAllStringFunc(argument.(string), func(match string) string {
			return fmt.Sprint(s.ref(match[2 : len(match)-1]))
		}), true
	case "Fn::If":
		if s.condition(arguments[0].(string)) {
			return s.render(arguments[1]), true
		}
		return s.render(arguments[2]), true
	case "Fn::Equals":
		return s.render(arguments[0]) == s.render(arguments[1]), true
	case "Fn::Not":
		return !s.render(arguments[0]).(bool), true
	case "Fn::Join":
		text := make([]string, 0)
		switch items := s.render(arguments[1]).(type) {
		case []any:
			for _, item := range items {
				text = append(text, fmt.Sprint(item))
			}
		case string: // a parameter that is a list
			text = strings.Split(items, ",")
		}
		return strings.Join(text, arguments[0].(string)), true
	}
	return nil, false
}

func (s stack) ref(name string) any {
	if name == "AWS::NoValue" {
		return removed{}
	}
	if value, ok := known[name]; ok {
		return value
	}
	if value, ok := s.parameters[name]; ok {
		return value
	}
	return name
}
