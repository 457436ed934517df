package template_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestEnvironmentVariablesAreThoseTheCodeReads(t *testing.T) {
	function := newStack(t, nil).properties(t, "RotateFunction")
	declared := slices.Sorted(maps.Keys(function["Environment"].(object)["Variables"].(object)))

	variable := regexp.MustCompile(`^[A-Z][A-Z0-9_]+$`)
	read := map[string]bool{}
	inspect(t, "functions/rotate", func(node ast.Node) {
		call, ok := node.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return
		}
		literal, ok := call.Args[0].(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return
		}
		if name, err := strconv.Unquote(literal.Value); err == nil && variable.MatchString(name) {
			read[name] = true
		}
	})
	for _, others := range []string{"AWS_SAM_LOCAL", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		delete(read, others) // sam local sets the first; Go itself reads the others
	}
	read["NO_PROXY"] = true // by net/http
	if got := slices.Sorted(maps.Keys(read)); !slices.Equal(got, declared) {
		t.Errorf("functions/rotate reads\n  %v\nthe template declares\n  %v", got, declared)
	}
}

// The role allows every operation that the code can send, and no other.
func TestActionsAreTheOperationsTheCodeCalls(t *testing.T) {
	called := map[string]bool{}
	inspect(t, "rotator/awsstore", func(node ast.Node) {
		literal, ok := node.(*ast.CompositeLit)
		if !ok {
			return
		}
		selector, ok := literal.Type.(*ast.SelectorExpr)
		if !ok {
			return
		}
		service, ok := selector.X.(*ast.Ident)
		operation, isInput := strings.CutSuffix(selector.Sel.Name, "Input")
		if ok && isInput {
			called[service.Name+":"+operation] = true
		}
	})
	allowed := map[string]bool{}
	for _, line := range statements(t, newStack(t, nil), "RotateRole") {
		actions, _, _ := strings.Cut(strings.TrimPrefix(line, "Allow "), " on ")
		for action := range strings.SplitSeq(actions, ", ") {
			if !strings.HasPrefix(action, "logs:") { // the Lambda service writes the log
				allowed[action] = true
			}
		}
	}
	got, want := slices.Sorted(maps.Keys(allowed)), slices.Sorted(maps.Keys(called))
	if !slices.Equal(got, want) {
		t.Errorf("the role allows\n  %v\nrotator/awsstore calls\n  %v", got, want)
	}
}

// inspect visits every node of a folder's code except its tests.
func inspect(t *testing.T, folder string, visit func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		ast.Inspect(parsed, func(node ast.Node) bool {
			visit(node)
			return true
		})
	}
	if seen == 0 {
		t.Fatalf("%s holds no code", folder)
	}
}

func TestEveryParameterIsUsed(t *testing.T) {
	s := newStack(t, nil)
	used := map[string]bool{}
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case []any:
			for _, item := range value {
				walk(item)
			}
		case object:
			for name, item := range value {
				text, isText := item.(string)
				switch {
				case name == "Ref" && isText:
					used[text] = true
				case name == "Fn::Sub" && isText:
					for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
						used[match[1]] = true
					}
				case (name == "Condition" || name == "Fn::If") && isText:
					used[text] = true
				}
				if list, ok := item.([]any); ok && name == "Fn::If" {
					used[list[0].(string)] = true
				}
				walk(item)
			}
		}
	}
	walk(s.template["Resources"])
	walk(s.template["Outputs"])
	// A condition counts as a use of its parameters only if it is used itself.
	for name, condition := range s.template["Conditions"].(object) {
		if !used[name] {
			t.Errorf("condition %s is not used", name)
			continue
		}
		walk(condition)
	}
	for name := range s.parameters {
		if !used[name] {
			t.Errorf("parameter %s is not used", name)
		}
	}
}

// make deploy-local runs the commands that the pages hold.
func TestPagesHoldTheCommandsThatAreTried(t *testing.T) {
	page := map[string]string{
		"read.sh": "README.md", "seed.sh": "docs/deploying.md", "watch.sh": "docs/deploying.md",
	}
	files, err := filepath.Glob(filepath.Join(root, "cmd", "deploy-local", "readme", "*.sh"))
	if err != nil || len(files) != len(page) {
		t.Fatalf("found the commands %v: %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.Contains(read(t, page[name]), line) {
				t.Errorf("%s does not hold this line of %s:\n%s", page[name], name, line)
			}
		}
	}
}

// docs/deploying.md has every parameter with its default, and every action that a
// permissions boundary must allow.
func TestDeployingPageIsComplete(t *testing.T) {
	page := read(t, filepath.Join("docs", "deploying.md"))
	s := newStack(t, map[string]string{"KmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1"})
	for name, declared := range s.template["Parameters"].(object) {
		fallback := fmt.Sprint(declared.(object)["Default"])
		row := regexp.MustCompile("(?m)^\\| [^|]*`" + name + "`[^|]*\\| ([^|]*) \\|").FindStringSubmatch(page)
		switch {
		case row == nil:
			t.Errorf("docs/deploying.md has no row for %s", name)
		case fallback == "" && row[1] != "none", fallback != "" && strings.Trim(row[1], "`") != fallback:
			t.Errorf("docs/deploying.md gives %s the default %s, the template %q", name, row[1], fallback)
		}
	}
	for _, line := range statements(t, s, "RotateRole") {
		actions, _, _ := strings.Cut(strings.TrimPrefix(line, "Allow "), " on ")
		for action := range strings.SplitSeq(actions, ", ") {
			if !strings.Contains(page, "`"+action+"`") {
				t.Errorf("docs/deploying.md does not name %s", action)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
