package template_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The longest names that are legal: a stack's, a connection's, and what AWS puts
// beside them in an ARN.
var (
	longestStack      = "A" + strings.Repeat("s", 127)
	longestConnection = strings.Repeat("c", 32)
	longestPseudo     = map[string]string{
		"AWS::StackName": longestStack, "AWS::Partition": "aws-us-gov", "AWS::Region": "us-isof-south-1", "AWS::URLSuffix": "amazonaws.com.cn",
	}
	longestARN = func(service, resource string) string {
		return "arn:aws-us-gov:" + service + ":us-isof-south-1:123456789012:" + resource
	}
	longestKey = longestARN("kms", "key/mrk-"+strings.Repeat("0", 32))
)

// documented are limits that the resource schemas do not have, or have too high, by
// type and path. The length of a policy is that of its JSON.
var documented = map[string]struct {
	limit int // 0 is none
	page  string
}{
	// All inline policies of a role together. This role has one.
	"AWS::IAM::Role Policies.*.PolicyDocument": {10240, "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"},
	"AWS::IAM::ManagedPolicy PolicyDocument":   {6144, "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"},
	// Only needed if the name is in it again.
	"AWS::SNS::Topic DisplayName":                   {100, "https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html"},
	"AWS::SNS::TopicPolicy PolicyDocument":          {30720, "https://docs.aws.amazon.com/general/latest/gr/sns.html"},
	"AWS::CloudWatch::Dashboard DashboardName":      {255, "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html"},
	"AWS::CloudWatch::Dashboard DashboardBody":      {0, "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"},
	"AWS::SSM::Parameter Name":                      {1011, "https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html"},
	"AWS::SSM::Parameter Tags.reltio-token-rotator": {256, "https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Tag.html"},
	// All variables of the function together.
	"AWS::Lambda::Function Environment.Variables.PREFIX": {4096, "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"},
}

// Every value that is made of a stack's or a connection's name fits, for every
// legal name: plain "sam deploy" checks no length before it creates resources.
// Names that CloudFormation generates are not here; it shortens them itself.
func TestValuesFitForTheLongestNames(t *testing.T) {
	parameters := map[string]string{
		"KmsKeyArn": longestKey, "AlarmEmail": "a@example.com", "SubnetIds": "subnet-1", "SecurityGroupIds": "sg-1",
		"PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary", "ReaderPrincipals": "210987654321",
	}
	main := translated(t, parameters)
	added := newStackOf(t, "connection.yaml", map[string]string{"Stack": longestStack, "Connection": longestConnection, "KmsKeyArn": longestKey, "ReaderPrincipals": "210987654321"})
	schemas := readSchemas(t)
	for file, s := range map[string]stack{"template.yaml": main, "connection.yaml": added} {
		maps.Copy(s.Pseudo, longestPseudo)
		// What Ref returns of resources that policies name.
		s.Parameters["AlarmTopic"] = longestARN("sns", strings.Repeat("t", 256))
		s.Parameters["ReportAlias"] = longestARN("lambda", "function:"+strings.Repeat("f", 64)+":report")
		measured := 0
		for id, raw := range s.template["Resources"].(object) {
			kind := raw.(object)["Type"].(string)
			l := lengths{kind: kind, schema: schemas.schema(t, kind)}
			l.walk(s.properties(t, id), l.schema, "")
			for _, problem := range l.problems {
				t.Errorf("%s: %s: %s", file, id, problem)
			}
			measured += l.measured
		}
		if measured < 10 {
			t.Errorf("%s: only %d values hold the names", file, measured)
		}
	}
}

// lengths measures the values of one resource that hold the longest names.
type lengths struct {
	kind     string
	schema   object
	measured int
	problems []string
}

func (l *lengths) walk(value any, schema object, path string) {
	schema = l.resolve(schema)
	switch value := value.(type) {
	case object:
		if strings.HasSuffix(path, "PolicyDocument") || strings.HasSuffix(path, "ResourcePolicy") {
			text, _ := json.Marshal(value)
			l.measure(string(text), schema, path)
			return
		}
		for name, item := range value {
			l.walk(item, property(schema, name), strings.TrimPrefix(path+"."+name, "."))
		}
	case []any:
		items, _ := schema["items"].(object)
		for _, item := range value {
			l.walk(item, items, path+".*")
		}
	case string:
		l.measure(value, schema, path)
	}
}

func (l *lengths) measure(value string, schema object, path string) {
	if !strings.Contains(value, longestStack) {
		return
	}
	l.measured++
	limit, known := schema["maxLength"].(float64)
	if row, ok := documented[l.kind+" "+path]; ok && (!known || float64(row.limit) < limit) {
		limit, known = float64(row.limit), true
	}
	switch {
	case known && limit == 0:
	case !known:
		l.problems = append(l.problems, fmt.Sprintf("no limit is known for %s %s (%d characters)", l.kind, path, len(value)))
	case len(value) > int(limit):
		l.problems = append(l.problems, fmt.Sprintf("%s has %d characters, more than %d: %.60s...", path, len(value), int(limit), value))
	}
}

// resolve follows a schema's reference to a definition.
func (l *lengths) resolve(schema object) object {
	for {
		name, ok := schema["$ref"].(string)
		if !ok {
			return schema
		}
		definitions, _ := l.schema["definitions"].(object)
		schema, _ = definitions[strings.TrimPrefix(name, "#/definitions/")].(object)
	}
}

// property is the schema of a property.
func property(schema object, name string) object {
	properties, _ := schema["properties"].(object)
	if found, ok := properties[name].(object); ok {
		return found
	}
	patterns, _ := schema["patternProperties"].(object)
	for _, pattern := range slices.Sorted(maps.Keys(patterns)) {
		if regexp.MustCompile(pattern).MatchString(name) {
			return patterns[pattern].(object)
		}
	}
	return nil
}

// schemas are the resource schemas that cfn-lint ships, which is part of the SAM
// CLI.
type schemas struct {
	folder string
	files  map[string]string
}

func readSchemas(t *testing.T) schemas {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, ".tools", "sam", "lib", "python3*", "site-packages", "cfnlint", "data", "schemas"))
	if err != nil || len(found) == 0 {
		t.Fatalf("the SAM CLI in .tools has no resource schemas: %v", err)
	}
	s := schemas{folder: found[0]}
	text, err := os.ReadFile(filepath.Join(s.folder, "providers", "us-east-1.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s.files); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s schemas) schema(t *testing.T, kind string) object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.folder, "resources", s.files[kind]+".json"))
	if err != nil {
		t.Fatalf("no schema of %s: %v", kind, err)
	}
	var schema object
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}
