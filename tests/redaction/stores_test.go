package redaction

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	fakeaws "reltio-token-rotator/tests/fake/aws"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/extent"
)

// courses of events that lead to every call that the rotator makes.
// Each of them breaks something if broken is true, and continues to the end.
var courses = map[string]func(s *fixture, broken func()){
	// A refresh whose refresh token changes.
	"rotates": func(s *fixture, broken func()) {
		s.beat()
		broken()
		s.force()
		s.beat()
	},
	// It could not be saved before.
	"from pending": func(s *fixture, broken func()) {
		s.AWS.Inject(fakeaws.Fault{Operation: "PutSecretValue", Name: "/credentials", Code: "AccessDeniedException", Times: -1})
		s.beat()
		s.AWS.ClearFaults()
		broken()
		s.beat()
		s.force()
	},
	// It cannot be saved.
	"into pending": func(s *fixture, broken func()) {
		broken()
		s.AWS.Inject(fakeaws.Fault{Operation: "PutSecretValue", Name: "/credentials", Code: "AccessDeniedException", Times: -1})
		s.beat()
		s.force()
	},
	// An operator writes new credentials at the same time.
	"overtaken": func(s *fixture, broken func()) {
		s.beat()
		broken()
		there := false
		s.AWS.OnCall(func(operation, name string, before bool) {
			if operation == "PutSecretValue" && strings.HasSuffix(name, "/credentials") && before && !there {
				there = true
				s.PutCredentials("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "refresh_token": newRefresh})
			}
		})
		s.force()
		s.beat()
	},
	// A label on an old version of the lease blocks every write.
	"labelled": func(s *fixture, broken func()) {
		s.beat()
		s.AWS.Inject(fakeaws.Fault{Operation: "PutParameter", Name: "/lease", Code: "ParameterMaxVersionLimitExceeded", Times: -1})
		broken()
		s.force()
	},
	// Another run leases at the same time.
	"raced": func(s *fixture, broken func()) {
		s.beat()
		broken()
		there := false
		s.AWS.OnCall(func(operation, name string, before bool) {
			if operation == "PutParameter" && strings.HasSuffix(name, "/lease") && before && !there {
				there = true
				s.AWS.PutParameter(harness.ParameterName("default", "lease"), "{}")
			}
		})
		s.force()
		s.beat()
	},
}

// calls are the calls of the rotator, with the course of events that leads to each.
var calls = []struct{ operation, name, way string }{
	{"GetParametersByPath", "", "rotates"},
	{"GetParametersByPath", "", "from pending"},
	{"GetSecretValue", "/credentials", "rotates"},
	{"GetSecretValue", "/credentials", "from pending"},
	{"PutParameter", "/lease", "rotates"},
	{"PutParameter", "/state", "rotates"},
	{"PutParameter", "/pending", "into pending"},
	{"PutSecretValue", "/credentials", "rotates"},
	{"PutSecretValue", "/credentials", "from pending"},
	{"PutSecretValue", "/token", "rotates"},
	{"DescribeSecret", "/credentials", "rotates"},
	{"DescribeSecret", "/credentials", "from pending"},
	{"UpdateSecretVersionStage", "/credentials", "overtaken"},
	{"GetParameter", "/lease", "raced"},
	{"GetParameterHistory", "/lease", "labelled"},
	{"DeleteParameter", "/pending", "from pending"},
}

// troubles are the answers that a call can get, from AWS or from something that
// answers instead of it.
var troubles = map[string]func(w http.ResponseWriter){
	"denied":                  refuses(400, "AccessDeniedException", allCanaries),
	"throttled":               refuses(400, "ThrottlingException", allCanaries),
	"failed":                  refuses(500, "InternalServiceError", allCanaries),
	"not found":               refuses(400, "ResourceNotFoundException", allCanaries),
	"no key":                  refuses(400, "InvalidKeyId", allCanaries),
	"a code that is a secret": refuses(400, clientSecret, allCanaries),
	"a page":                  page(403),
	"a page of 200":           page(200),
	"a redirect":              page(302),
	"a bad gateway":           page(502),
	"wrong types":             answers(200, `{"Parameters":"`+accessToken+`","SecretString":["x"],"Version":"nR5-bX-j-Fw8","VersionIdsToStages":5}`),
	"an empty object":         answers(200, `{}`),
	"JSON that breaks off":    answers(200, `{"SecretString":"{\"refresh_token\":\"`+refreshToken),
	"an answer cut off": func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, `{"SecretString":"`+refreshToken)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	},
	"a connection cut off": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
}

func refuses(status int, code, message string) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("X-Amzn-Errortype", code)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"__type":%q,"message":%q,"Message":%q}`, code, message, message)
	}
}

func page(status int) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Location", "https://elsewhere.example/?"+refreshToken)
		answers(status, "<html>"+allCanaries)(w)
	}
}

func answers(status int, body string) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Every AWS call that the rotator makes, with every answer that it can get.
func TestStores(t *testing.T) {
	cases, possible := 0, 0
	for _, call := range calls {
		for _, name := range slices.Sorted(maps.Keys(troubles)) {
			if possible++; !extent.Has(possible, 4) {
				continue
			}
			trouble := troubles[name]
			cases++
			t.Run(call.operation+call.name+" "+call.way+" "+name, func(t *testing.T) {
				simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(s *fixture) {
					s.seed(kinds["refresh"])
					met := 0
					courses[call.way](s, func() {
						s.storage.answer = func(operation, name string, w http.ResponseWriter) bool {
							if operation != call.operation || !strings.HasSuffix(name, call.name) {
								return false
							}
							met++
							trouble(w)
							return true
						}
					})
					s.storage.answer = nil
					s.AWS.ClearFaults()
					s.beat()
					if met == 0 {
						t.Error("it was not called")
					}
				})
			})
		}
	}
	t.Logf("%d failure cases: AWS calls × troubles", cases)
}

// A call that has no case above fails here.
func TestEveryCallIsTried(t *testing.T) {
	files, err := filepath.Glob("../../rotator/awsstore/*.go")
	if err != nil {
		t.Fatal(err)
	}
	inputs := regexp.MustCompile(`&(?:ssm|secretsmanager)\.(\w+)Input\{`)
	made := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, input := range inputs.FindAllStringSubmatch(string(source), -1) {
			made[input[1]] = true
		}
	}
	there := map[string]bool{}
	for _, call := range calls {
		there[call.operation] = true
	}
	if len(made) < 5 || !maps.Equal(made, there) {
		t.Errorf("the rotator calls %v\nthe sweep has %v", slices.Sorted(maps.Keys(made)), slices.Sorted(maps.Keys(there)))
	}
}
