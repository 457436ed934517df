package rotatorctl_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// TestPermissions runs the command lines of testdata, each in an account of its
// own, and holds the policies in docs/deploying.md to what they asked AWS for.
func TestPermissions(t *testing.T) {
	t.Parallel()
	var seen asks
	// A group ends when its parallel scripts have ended.
	t.Run("scripts", func(t *testing.T) { runScripts(t, &seen) })
	if pattern := flag.Lookup("test.run").Value.String(); strings.Contains(pattern, "/") {
		t.Skip("only some scripts were run")
	}
	comparePermissions(t, seen.actions)
}

func runScripts(t *testing.T, seen *asks) {
	program := rotatorctl.Path(t)
	project, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			a := newAccount(t, reltio.Options{Users: map[string]string{"second": "password"}})
			env.Values["account"] = a
			for _, entry := range a.environment() {
				name, value, _ := strings.Cut(entry, "=")
				env.Setenv(name, value)
			}
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("PROJECT", project)
			env.Setenv("PATH", filepath.Join(env.WorkDir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"rotatorctl": func(ts *testscript.TestScript, neg bool, args []string) { runScripted(ts, program, seen, neg, args) },
			"aws":        arrange,
			"asked":      assertAsked,
			"credentials": func(ts *testscript.TestScript, _ bool, args []string) {
				writeCredentials(ts, args)
			},
		},
	})
}

func accountOf(ts *testscript.TestScript) *account { return ts.Value("account").(*account) }

// runScripted is "rotatorctl STATUS ARGUMENT...". It checks the program's exit
// status and that its output has at most 80 columns and no control character.
func runScripted(ts *testscript.TestScript, program string, seen *asks, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("rotatorctl STATUS ARGUMENT...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	status, before := 0, len(accountOf(ts).allCalls())
	defer func() { seen.note(args[1], accountOf(ts).allCalls()[before:]) }()
	if err := ts.Exec(program, args[1:]...); err != nil {
		exit, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("%v", err)
		}
		status = exit.ExitCode()
	}
	if status != want {
		ts.Fatalf("exit status %d, wanted %d", status, want)
	}
	for _, name := range []string{"stdout", "stderr"} {
		for line := range strings.Lines(ts.ReadFile(name)) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > 80 && strings.Contains(strings.TrimSpace(line), " ") && !slices.Contains(args, "-json") {
				ts.Fatalf("%s: %d columns: %s", name, utf8.RuneCountInString(line), line)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				ts.Fatalf("%s: a control character: %q", name, line)
			}
		}
	}
}

// assertAsked is "asked ACTION": AWS was asked for it since the last "aws forget".
func assertAsked(ts *testscript.TestScript, neg bool, args []string) {
	for _, action := range args {
		if accountOf(ts).asked(action) == neg {
			ts.Fatalf("%s was asked for: %t", action, !neg)
		}
	}
}

var instant = regexp.MustCompile(`\{\{([+-][0-9a-z]+)\}\}`)

// arrange changes the account as a script says, and checks it.
func arrange(ts *testscript.TestScript, neg bool, args []string) {
	a := accountOf(ts)
	need := func(n int) {
		if len(args) < n {
			ts.Fatalf("aws %v: too few arguments", args)
		}
	}
	need(1)
	// {{+58m}} is the instant in 58 minutes.
	for i, argument := range args {
		args[i] = instant.ReplaceAllStringFunc(argument, func(match string) string {
			d, err := time.ParseDuration(strings.Trim(match, "{}"))
			ts.Check(err)
			return time.Now().Add(d).UTC().Format(time.RFC3339)
		})
	}
	switch args[0] {
	case "forget":
		a.forget()
	case "seed":
		need(2)
		a.Seed(args[1])
	case "add":
		need(2)
		a.Add(args[1])
	case "parameter":
		need(3)
		a.AWS.PutParameter("/"+harness.Prefix+"/"+args[1], args[2])
	case "has-parameter":
		need(2)
		_, _, ok := a.AWS.Parameter("/" + harness.Prefix + "/" + args[1])
		if ok == neg {
			ts.Fatalf("the parameter %s is there: %t", args[1], ok)
		}
	case "has-config":
		need(3)
		if got, _, _ := a.AWS.Parameter("/" + harness.Prefix + "/" + args[1] + "/config"); got != args[2] {
			ts.Fatalf("the config of %s is %s, wanted %s", args[1], got, args[2])
		}
	case "has-secret":
		need(2)
		if _, ok := a.AWS.Secret(harness.Prefix + "/" + args[1]); ok == neg {
			ts.Fatalf("the secret %s has a value: %t", args[1], ok)
		}
	case "put-secret":
		need(3)
		a.AWS.PutSecret(harness.Prefix+"/"+args[1], args[2])
	case "replicate":
		need(3)
		a.AWS.Replicate(harness.Prefix+"/"+args[1], args[2])
	case "current":
		need(3)
		if got, _ := a.AWS.Secret(harness.Prefix + "/" + args[1]); got != ts.ReadFile(args[2]) {
			ts.Fatalf("the current version of %s is not %s", args[1], args[2])
		}
	case "schedule-deletion":
		need(2)
		a.AWS.ScheduleDeletion(harness.Prefix + "/" + args[1])
	case "reltio":
		arrangeReltio(ts, a, args)
	case "heartbeat":
		need(2)
		d, err := time.ParseDuration(args[1])
		ts.Check(err)
		a.mu.Lock()
		a.log = nil
		a.mu.Unlock()
		if d > 0 {
			a.heartbeat(d)
		}
	case "log":
		need(2)
		a.mu.Lock()
		a.log = append(a.log, logEvent{time.Now().Add(-time.Minute), args[1]})
		a.mu.Unlock()
	default:
		arrangeServices(ts, a, neg, args, need)
	}
}

// arrangeReltio is "aws reltio throttled", "lost" or "lifetime DURATION".
func arrangeReltio(ts *testscript.TestScript, a *account, args []string) {
	switch args[1] {
	case "throttled":
		a.Reltio.Script(reltio.Throttled("3600"))
	case "lost":
		a.Reltio.Script(reltio.AnswerLost())
	case "lifetime":
		d, err := time.ParseDuration(args[2])
		ts.Check(err)
		a.Reltio.EndAccessTokens()
		a.Reltio.SetOptions(func(o *reltio.Options) { o.Lifetime = d })
	}
}

func arrangeServices(ts *testscript.TestScript, a *account, neg bool, args []string, need func(int)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch args[0] {
	case "stack":
		need(3)
		s := mainStack(args[1], args[2])
		for _, p := range args[3:] {
			name, value, _ := strings.Cut(p, "=")
			s.parameters[name] = value
		}
		s.connection = s.parameters["Connection"]
		a.stacks[args[1]] = s
	case "created":
		need(3)
		d, err := time.ParseDuration(args[2])
		ts.Check(err)
		a.stacks[args[1]].created = time.Now().Add(-d)
	case "no-stack":
		need(2)
		delete(a.stacks, args[1])
	case "has-stack":
		need(2)
		if (a.stacks[args[1]] != nil) == neg {
			ts.Fatalf("the stack %s is there: %t", args[1], !neg)
		}
	case "has-value":
		need(4)
		s := a.stacks[args[1]]
		if s == nil {
			ts.Fatalf("there is no stack %s", args[1])
		}
		if got := s.parameters[args[2]]; got != args[3] {
			ts.Fatalf("%s of %s is %q, wanted %q", args[2], args[1], got, args[3])
		}
	case "has-tag":
		need(4)
		if got := a.stacks[args[1]].tags[args[2]]; got != args[3] {
			ts.Fatalf("the tag %s of %s is %q, wanted %q", args[2], args[1], got, args[3])
		}
	case "event":
		need(5)
		s := a.stacks[args[1]]
		s.events = append(s.events, fakeEvent{args[2], args[3], "CREATE_FAILED", args[4]})
	case "fail":
		need(5)
		status := "CREATE_FAILED"
		if len(args) > 5 {
			status = args[5]
		}
		a.fails[args[1]] = fakeEvent{args[2], args[3], status, args[4]}
	case "deny":
		need(2)
		a.denied[args[1]] = !neg
	case "schedule":
		need(2)
		a.schedule = strings.Trim(args[1], "-")
	case "alarm":
		need(2)
		a.alarm = strings.Trim(args[1], "-")
	case "subscription":
		need(2)
		a.subscriptions = map[string]string{
			"none": "", "pending": strings.Replace(subscribed, "arn:aws:sns:us-east-1:123456789012:t:1", "PendingConfirmation", 1),
		}[args[1]]
	case "function":
		a.functionGone = true
	case "attach":
		need(2)
		a.roles = args[1:]
	case "detach":
		a.roles = nil
	default:
		ts.Fatalf("aws %s is not known", args[0])
	}
}

// writeCredentials is "credentials FILE [FIELD=VALUE...]": credentials with the
// refresh token of a login; alternate=PASSWORD adds the user second.
func writeCredentials(ts *testscript.TestScript, args []string) {
	_, refreshToken := accountOf(ts).Reltio.Login()
	fields := map[string]string{"client_id": "client", "client_secret": "secret", "refresh_token": refreshToken}
	alternate := ""
	for _, argument := range args[1:] {
		name, value, _ := strings.Cut(argument, "=")
		if name == "alternate" {
			alternate = fmt.Sprintf(`,"alternate":{"client_id":"client","client_secret":"secret","username":"second","password":%q}`, value)
			continue
		}
		fields[name] = value
		if value == "" {
			delete(fields, name)
		}
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		parts = append(parts, fmt.Sprintf("%q:%q", name, fields[name]))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("{"+strings.Join(parts, ",")+alternate+"}"), 0o600))
}
