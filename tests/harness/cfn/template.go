// Package cfn evaluates a CloudFormation template as far as the tests need it:
// the short forms of functions, parameters and conditions.
package cfn

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Object is a mapping of a template. Scalars are strings; functions such as
// !Sub are in their long form, {"Fn::Sub": …}.
type Object = map[string]any

// Load reads a template from a file.
func Load(file string) (Object, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	template, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return template, nil
}

// Parse reads a template in YAML or JSON.
func Parse(text []byte) (Object, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if len(document.Content) == 0 {
		return nil, errors.New("the template is empty")
	}
	template, ok := long(document.Content[0]).(Object)
	if !ok {
		return nil, errors.New("the template is not a mapping")
	}
	return template, nil
}

// long converts YAML to values and the short forms of functions to long ones.
func long(node *yaml.Node) any {
	var value any
	switch node.Kind {
	case yaml.MappingNode:
		m := Object{}
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
		return Object{name: value}
	}
	return value
}

// Stack is a template with parameter values.
type Stack struct {
	Template   Object
	Parameters map[string]string
	// Pseudo are AWS::Region and the like.
	Pseudo map[string]string
}

// New returns a template with these parameters and the defaults of the others.
func New(template Object, parameters map[string]string) (Stack, error) {
	s := Stack{template, map[string]string{}, map[string]string{
		"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012", "AWS::StackName": "STACK",
		"AWS::URLSuffix": "amazonaws.com",
	}}
	for name, definition := range template["Parameters"].(Object) {
		if value, ok := definition.(Object)["Default"]; ok {
			s.Parameters[name] = fmt.Sprint(value)
		} else if _, given := parameters[name]; !given {
			return Stack{}, fmt.Errorf("parameter %s has no value and no default", name)
		}
	}
	for name := range parameters {
		if template["Parameters"].(Object)[name] == nil {
			return Stack{}, fmt.Errorf("the template has no parameter %s", name)
		}
	}
	maps.Copy(s.Parameters, parameters)
	return s, nil
}

// Resource returns a resource with its functions evaluated, nil if its condition
// is false. ok is false if the template has no such resource.
func (s Stack) Resource(id string) (resource Object, ok bool) {
	raw, ok := s.Template["Resources"].(Object)[id].(Object)
	if !ok {
		return nil, false
	}
	if condition, ok := raw["Condition"].(string); ok && !s.Condition(condition) {
		return nil, true
	}
	return s.Render(raw).(Object), true
}

// Violated returns the descriptions of the rules' assertions that are false, for
// which CloudFormation refuses the stack.
func (s Stack) Violated() []string {
	var descriptions []string
	rules, _ := s.Template["Rules"].(Object)
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		rule := rules[name].(Object)
		if condition, ok := rule["RuleCondition"]; ok && !s.Render(condition).(bool) {
			continue
		}
		for _, assertion := range rule["Assertions"].([]any) {
			if !s.Render(assertion.(Object)["Assert"]).(bool) {
				descriptions = append(descriptions, assertion.(Object)["AssertDescription"].(string))
			}
		}
	}
	return descriptions
}

// Condition reports whether a condition is true.
func (s Stack) Condition(name string) bool {
	return s.Render(s.Template["Conditions"].(Object)[name]).(bool)
}
