package redaction

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "reltio-token-rotator/"

// reveals are the functions that may reveal a secret: those that send it to the
// token endpoint or to a store, and in the engine those that read and write
// documents. Think twice before you add one.
var reveals = []string{
	"rotator/awsstore: PutPending", "rotator/awsstore: putSecret",
	"rotator/reltio: form", "rotator/reltio: httpRequest",

	"rotator/secret: Equal", "rotator/secret: Fingerprint", // the box itself
	"rotator: Connections", "rotator: document", "rotator: documentFields", "rotator: fits", "rotator: identity",
	"rotator: newToken", "rotator: parsePending", "rotator: parseSet", "rotator: rawString", "rotator: with",
}

func TestSecretsAreRevealedInFewPlaces(t *testing.T) {
	var found []string
	for _, p := range load(t) {
		p.each(func(function string, node ast.Node) {
			selector, ok := node.(*ast.SelectorExpr)
			if !ok {
				return
			}
			method, ok := p.info.Uses[selector.Sel].(*types.Func)
			if ok && isReveal(method) {
				found = append(found, p.name+": "+function)
			}
		})
	}
	slices.Sort(found)
	if found = slices.Compact(found); !slices.Equal(found, reveals) {
		t.Errorf("secrets are revealed in\n%s\nwanted only in\n%s", strings.Join(found, "\n"), strings.Join(reveals, "\n"))
	}
}

func isReveal(method *types.Func) bool {
	receiver := method.Signature().Recv()
	return receiver != nil && strings.EqualFold(method.Name(), "reveal") && receiver.Type().String() == module+"rotator/secret.Value"
}

// In the packages that make external calls, an error's text can contain a request or
// a response. So no error is turned into text there, neither by its method nor by a
// formatting function. It is passed on as a cause.
func TestErrorsOfOtherPackagesAreNotTurnedIntoText(t *testing.T) {
	failure := types.Universe.Lookup("error").Type().Underlying().(*types.Interface)
	for _, p := range load(t) {
		if p.name != "rotator/reltio" && p.name != "rotator/awsstore" {
			continue
		}
		isError := func(e ast.Expr) bool {
			of := p.info.TypeOf(e)
			return of != nil && types.Implements(of, failure)
		}
		p.each(func(function string, node ast.Node) {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return
			}
			selector, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return
			}
			if selector.Sel.Name == "Error" && isError(selector.X) {
				t.Errorf("%s: %s takes an error's text", p.at(call), function)
			}
			if f, ok := p.info.Uses[selector.Sel].(*types.Func); ok && f.Pkg() != nil && slices.Contains([]string{"fmt", "log", "log/slog"}, f.Pkg().Path()) {
				if slices.ContainsFunc(call.Args, isError) {
					t.Errorf("%s: %s formats an error", p.at(call), function)
				}
			}
		})
	}
}

// Only the engine and the doctor write log lines, and only the function's main
// decides where they go.
func TestOnlyTheEngineAndTheDoctorLog(t *testing.T) {
	for _, p := range load(t) {
		for _, file := range p.files {
			for _, spec := range file.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				logs := path == "log" || path == "log/slog" && p.name != "rotator" && p.name != "rotator/doctor"
				if p.name != "functions/rotate" && logs {
					t.Errorf("%s imports %s", p.name, path)
				}
			}
		}
		p.each(func(function string, node ast.Node) {
			name, ok := node.(*ast.Ident)
			if !ok || p.name == "functions/rotate" {
				return
			}
			switch used := p.info.Uses[name]; {
			case used == nil:
			case used.Pkg() == nil && (used.Name() == "print" || used.Name() == "println"),
				used.Pkg() != nil && used.Pkg().Path() == "os" && (used.Name() == "Stdout" || used.Name() == "Stderr"),
				used.Pkg() != nil && used.Pkg().Path() == "fmt" && strings.HasPrefix(used.Name(), "Print"):
				t.Errorf("%s: %s prints", p.at(node), function)
			}
		})
	}
}

// source is a package of the function, without its tests.
type source struct {
	name  string // its path in the module
	set   *token.FileSet
	files []*ast.File
	info  types.Info
}

func (p *source) at(node ast.Node) token.Position { return p.set.Position(node.Pos()) }

// each visits every node, with the name of the function around it.
func (p *source) each(visit func(function string, node ast.Node)) {
	for _, file := range p.files {
		for _, declaration := range file.Decls {
			name := ""
			if f, ok := declaration.(*ast.FuncDecl); ok {
				name = f.Name.Name
			}
			ast.Inspect(declaration, func(node ast.Node) bool { visit(name, node); return true })
		}
	}
}

// load parses and checks the packages of the module that the function is made
// of. The go command gives their files, and the types of what they import.
func load(t *testing.T) []*source {
	t.Helper()
	list := exec.Command("go", "list", "-deps", "-export", "-json=ImportPath,Dir,GoFiles,Export", module+"functions/rotate")
	var complaints bytes.Buffer
	list.Stderr = &complaints
	output, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, complaints.String())
	}
	type listed struct {
		ImportPath, Dir, Export string
		GoFiles                 []string
	}
	exports := map[string]string{}
	var own []listed
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p listed
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if strings.HasPrefix(p.ImportPath, module) {
			own = append(own, p)
		}
	}
	set := token.NewFileSet()
	imports := importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	var sources []*source
	for _, p := range own {
		s := &source{name: strings.TrimPrefix(p.ImportPath, module), set: set}
		s.info = types.Info{Uses: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			s.files = append(s.files, file)
		}
		checker := types.Config{Importer: imports}
		if _, err := checker.Check(p.ImportPath, set, s.files, &s.info); err != nil {
			t.Fatal(fmt.Errorf("check %s: %w", p.ImportPath, err))
		}
		sources = append(sources, s)
	}
	if len(sources) < 5 {
		t.Fatalf("only %d packages were found", len(sources))
	}
	return sources
}
