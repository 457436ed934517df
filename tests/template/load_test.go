// Package template_test checks of template.yaml and connection.yaml what no
// emulator enforces, and that they agree with the code.
package template_test

import (
	"path/filepath"
	"testing"

	"reltio-token-rotator/tests/harness/cfn"
)

// root is the project's folder.
var root = filepath.Join("..", "..")

type object = cfn.Object

// placeholder finds ${…} in the text of Fn::Sub.
var placeholder = cfn.Placeholder

// stack is a template with parameter values.
type stack struct {
	cfn.Stack
	template   object
	parameters map[string]string
}

// newStack is template.yaml with these parameters and the defaults of the others.
func newStack(t *testing.T, parameters map[string]string) stack {
	t.Helper()
	return newStackOf(t, "template.yaml", parameters)
}

func newStackOf(t *testing.T, file string, parameters map[string]string) stack {
	t.Helper()
	template, err := cfn.Load(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	s, err := cfn.New(template, parameters)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return stack{s, s.Template, s.Parameters}
}

// resource returns a resource as CloudFormation would see it, nil where its
// condition is not met.
func (s stack) resource(t *testing.T, id string) object {
	t.Helper()
	resource, ok := s.Resource(id)
	if !ok {
		t.Fatalf("the template has no resource %s", id)
	}
	return resource
}

func (s stack) properties(t *testing.T, id string) object {
	t.Helper()
	return s.resource(t, id)["Properties"].(object)
}

func (s stack) render(value any) any { return s.Render(value) }
