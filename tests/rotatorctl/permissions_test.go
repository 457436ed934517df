package rotatorctl_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// asks are the actions that each command asked AWS for.
type asks struct {
	mu      sync.Mutex
	actions map[string][]string
}

func (a *asks) note(command string, actions []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.actions == nil {
		a.actions = map[string][]string{}
	}
	for _, action := range actions {
		if !slices.Contains(a.actions[command], action) {
			a.actions[command] = append(a.actions[command], action)
		}
	}
}

var policyBlock = regexp.MustCompile("(?s)\n`([a-z-]+)`[^\n]*\n\n```json\n(.*?)\n```")

// documented returns the actions of the policies in docs/deploying.md by command,
// without those of sam and of CloudFormation.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/deploying.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, match := range policyBlock.FindAllStringSubmatch(string(text), -1) {
		var policy struct {
			Statement []struct {
				Sid    string
				Action any
			}
		}
		if err := json.Unmarshal([]byte(match[2]), &policy); err != nil {
			t.Fatalf("the policy of %s: %v", match[1], err)
		}
		for _, statement := range policy.Statement {
			if strings.HasPrefix(statement.Sid, "Sam") || strings.HasPrefix(statement.Sid, "ThroughCloudFormation") {
				continue
			}
			actions, several := statement.Action.([]any)
			if !several {
				actions = []any{statement.Action}
			}
			for _, action := range actions {
				if !slices.Contains(all[match[1]], action.(string)) {
					all[match[1]] = append(all[match[1]], action.(string))
				}
			}
		}
	}
	return all
}

// comparePermissions holds the policies in the documentation to what the
// commands were seen to ask for.
func comparePermissions(t *testing.T, seen map[string][]string) {
	policies := documented(t)
	for command, actions := range seen {
		for _, action := range actions {
			optional := action == "sts:GetCallerIdentity" || // needs no permission
				command == "seed" && action == "secretsmanager:GetSecretValue"
			if !optional && !slices.Contains(policies[command], action) {
				t.Errorf("%s asks for %s, which its policy does not allow", command, action)
			}
		}
	}
	for command, actions := range policies {
		for _, action := range actions {
			if !slices.Contains(seen[command], action) {
				t.Errorf("the policy of %s allows %s, which it was not seen to ask for", command, action)
			}
		}
	}
}
