package template_test

import (
	"regexp"
	"strings"
	"testing"
)

// The Properties of config, state and lease never change, not even a
// Description. When any property of such a resource changes, CloudFormation
// writes the template's {} again: over the operator's config, and over the
// function's state and lease. See the handler of AWS::SSM::Parameter,
// https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-ssm
func TestPropertiesOfParametersNeverChange(t *testing.T) {
	const pinned = `    Properties:
      Name: !Sub /reltio-token-rotator/STACK/CONNECTION/KIND
      Type: String
      Value: "{}"
      Description: DESCRIPTION
      Tags: {reltio-token-rotator: !Ref TAG}
`
	descriptions := map[string]string{
		"Config": "Settings of this connection as a JSON object, written by the operator. A field that is left out has the stack's value.",
		"State":  "State of this connection, written by the function. It holds no secret.",
		"Lease":  "Lease of this connection, written by the function. It names the run that refreshes the token.",
	}
	for file, names := range map[string]struct{ stack, connection, tag string }{
		"template.yaml":   {"${AWS::StackName}", "default", "AWS::StackName"},
		"connection.yaml": {"${Stack}", "${Connection}", "Stack"},
	} {
		text := read(t, file)
		for id, description := range descriptions {
			want := strings.NewReplacer("STACK", names.stack, "CONNECTION", names.connection,
				"KIND", strings.ToLower(id), "DESCRIPTION", description, "TAG", names.tag).Replace(pinned)
			if got := propertiesText(t, text, id); got != want {
				t.Errorf("%s: the Properties of %s are\n%swant\n%sThey must never change: CloudFormation writes {} over what the operator and the function wrote.",
					file, id, got, want)
			}
		}
	}
}

// propertiesText is the text of a resource's Properties block, from its line
// "Properties:" to the next line that is indented no deeper.
func propertiesText(t *testing.T, template, id string) string {
	t.Helper()
	resource := regexp.MustCompile(`(?m)^  ` + id + `:\n(?:    .*\n|\n)+`).FindString(template)
	block := regexp.MustCompile(`(?m)^    Properties:\n(?:      .*\n)+`).FindString(resource)
	if block == "" {
		t.Fatalf("the resource %s has no Properties", id)
	}
	return block
}
