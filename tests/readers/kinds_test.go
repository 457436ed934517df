package readers_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// kind is one of the readers, and how to run a job with it.
type kind struct {
	name    string
	command func(t *testing.T) *exec.Cmd
	// threads: many can share one source.
	threads bool
	// keepsRedirects: a redirect is the caller's.
	keepsRedirects bool
}

// kinds are the readers that run as processes. The Go reader does so for the
// proof; its behaviour is tested in a bubble, where no time has to be waited for.
var kinds = []kind{
	{name: "java", command: java, threads: true, keepsRedirects: true},
	{name: "node", command: node, threads: true},
	{name: "python", command: python("requests"), threads: true},
	{name: "httpx", command: python("httpx"), threads: true},
	{name: "bash", command: shell("bash")},
	{name: "sh", command: shell("dash", "busybox")},
}

// python is one that has what the example needs.
func python(job string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		path := find(t, "python3")
		built.once.python.Do(func() { built.err.python = exec.Command(path, "-c", "import boto3, requests, httpx").Run() })
		if built.err.python != nil {
			absent(t, "boto3, requests and httpx", "make tools")
		}
		command := exec.Command(path, "jobs/job.py")
		command.Env = []string{"JOB=" + job}
		return command
	}
}

// shell runs the shell's job with the first of some shells that is there, and
// with a quick AWS CLI.
func shell(names ...string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		for _, tool := range []string{"curl", "jq", "sha256sum"} {
			find(t, tool)
		}
		for _, name := range names {
			if path, err := exec.LookPath(name); err == nil {
				command := exec.Command(path, "jobs/job.sh")
				if name == "busybox" {
					command.Args = []string{path, "sh", "jobs/job.sh"}
				}
				command.Env = []string{"PATH=" + pathWith(programAs(t, "aws"))}
				return command
			}
		}
		absent(t, strings.Join(names, " or "), "install it with your system's package manager")
		return nil
	}
}

// pathWith is PATH with folders before it.
func pathWith(folders ...string) string {
	return strings.Join(append(folders, os.Getenv("PATH")), string(os.PathListSeparator))
}

// programAs is a folder in which this test's own program has another name.
func programAs(t *testing.T, name string) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(built.dir, "as-"+name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	return folder
}

func folderOf(path string) string { return filepath.Dir(path) }

// goJob is the Go reader, or the naive job, as a process.
func goJob(job string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		command := exec.Command(filepath.Join(programAs(t, "go-job"), "go-job"))
		command.Env = []string{"JOB=" + job}
		return command
	}
}

// ecs is the container's entrypoint, in a folder as in the image.
func (s *stack) ecs(t *testing.T) *exec.Cmd {
	t.Helper()
	folder, command := t.TempDir(), shell("bash")(t)
	for _, file := range []string{"ecs/entrypoint.sh", "shell/reltio.sh"} {
		text, err := os.ReadFile(filepath.Join(examples, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), text, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	command.Args[1] = filepath.Join(folder, "entrypoint.sh")
	return command
}

// glue is a Spark partition, with the zip that the job is given.
func (s *stack) glue(t *testing.T) *exec.Cmd {
	t.Helper()
	command, zip := python("requests")(t), filepath.Join(t.TempDir(), "reltio_auth.zip")
	if err := run(".", command.Path, "-m", "zipfile", "-c", zip, folder(t, "../../examples/python/reltio_auth")); err != nil {
		t.Fatal(err)
	}
	command.Args[1] = "jobs/partition.py"
	command.Env = []string{
		"PYTHONPATH=" + zip + string(os.PathListSeparator) + folder(t, "../../examples/glue"),
		// Only the ARN says which region an executor is in.
		"RELTIO_SECRET=" + s.tokenARN(t), "AWS_REGION=", "AWS_DEFAULT_REGION=",
	}
	return command
}

// built is what was compiled or looked for once, in a folder that TestMain removes.
var built struct {
	once struct{ java, node, python sync.Once }
	dir  string
	err  struct{ java, node, python error }
}

// node runs the Node reader's job.
func node(t *testing.T) *exec.Cmd {
	t.Helper()
	modules, err := filepath.Abs("../../.tools/node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("node")
	const how = "install Node.js 20 or later with npm, then make tools"
	if err != nil {
		absent(t, "node", how)
	}
	if _, err := os.Stat(modules); err != nil {
		absent(t, "what the Node reader depends on", how)
	}
	out := filepath.Join(built.dir, "node")
	built.once.node.Do(func() { built.err.node = buildNode(program, modules, out) })
	if errors.Is(built.err.node, errOldNode) {
		absent(t, "Node.js 20 or later", how)
	}
	if built.err.node != nil {
		t.Fatal(built.err.node)
	}
	command := exec.Command(program, "jobs/job.mjs")
	command.Env = []string{"RELTIO_TOKEN_JS=" + filepath.Join(out, "dist", "reltio-token.js")}
	return command
}

// errOldNode means that the reader's dependencies do not run with this Node.js.
var errOldNode = errors.New("this Node.js is older than 20")

// buildNode does what npm run build does, outside of the tree.
func buildNode(program, modules, out string) error {
	version, err := exec.Command(program, "--version").Output()
	if err != nil {
		return err
	}
	if major, _, _ := strings.Cut(string(version), "."); len(major) < 3 || major < "v20" {
		return errOldNode
	}
	if err := os.CopyFS(out, os.DirFS("../../examples/node")); err != nil {
		return err
	}
	if err := os.Symlink(modules, filepath.Join(out, "node_modules")); err != nil {
		return err
	}
	return run(out, filepath.Join(modules, ".bin", "tsc"))
}

// java runs the Java reader's job.
func java(t *testing.T) *exec.Cmd {
	t.Helper()
	libraries, err := filepath.Abs("../../.tools/java/lib")
	if err != nil {
		t.Fatal(err)
	}
	const how = "install a JDK 11 or later with Maven, then make tools"
	for _, tool := range []string{"java", "javac", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			absent(t, tool, how)
		}
	}
	if _, err := os.Stat(libraries); err != nil {
		absent(t, "what the Java reader depends on", how)
	}
	out := filepath.Join(built.dir, "java")
	built.once.java.Do(func() { built.err.java = buildJava(libraries, out) })
	if built.err.java != nil {
		t.Fatal(built.err.java)
	}
	return exec.Command("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx64m",
		"-cp", strings.Join([]string{filepath.Join(out, "job"), filepath.Join(out, "target", "classes"), filepath.Join(libraries, "*")}, ":"),
		"reltio.token.Job")
}

// buildJava does what mvn package does, outside of the tree, and compiles the
// job with the same checks.
func buildJava(libraries, out string) error {
	if err := os.CopyFS(out, os.DirFS("../../examples/java")); err != nil {
		return err
	}
	if err := run(out, "mvn", "-q", "-o", "-B", "package"); err != nil {
		return err
	}
	job, err := filepath.Abs("jobs/Job.java")
	if err != nil {
		return err
	}
	return run(out, "javac", "--release", "11", "-Xlint:all", "-Werror", "-d", "job", "-cp", "target/classes:"+libraries+"/*", job)
}

func run(dir, command string, args ...string) error {
	process := exec.Command(command, args...)
	process.Dir = dir
	if output, err := process.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, output)
	}
	return nil
}
