package explore_test

import (
	"slices"
	"strings"
)

// kind is a kind of external call with a kind of fault. The search draws and counts
// ordered pairs of kinds. There would be 20,000 pairs of single calls and faults.
type kind struct {
	call, fault string
}

func (k kind) String() string { return k.call + ", " + k.fault }

// callKind returns the kind of a call.
func callKind(call string) string {
	switch {
	case isTokenRequest(call):
		return "token request"
	case strings.HasPrefix(call, "Credentials."):
		return "read"
	case strings.HasPrefix(call, "Pending."):
		return "pending"
	}
	switch call {
	case "Lister.List":
		return "list"
	case "Parameters.Put(lease)", "Parameters.At(lease)":
		return "lease"
	case "Parameters.Put(state)":
		return "record"
	case "Saver.Save":
		return "save"
	case "Saver.Labels":
		return "verify"
	case "Saver.RestorePrevious":
		return "restore"
	}
	return "publish"
}

// faultKinds groups faults that differ only in a detail.
var faultKinds = map[string][]string{
	"killed": {"killed before", "killed after"},
	"slow":   {"slow", "slow answer"},
	"fails":  {"refused", "timeout"},
	"answer lost": {
		"answer lost", "late effect", "cut in the body",
		"executed, 408", "executed, 500", "executed, 502", "executed, 504",
	},
	"executed late":          {"502, executed 1.5 s later", "504, executed 30 s later", "408, executed 30 s later", "executed after 25 s"},
	"perhaps executed":       {"500, not executed", "not executed", "hangs"},
	"certainly not executed": {"unreachable", "429", "429 for 3 minutes", "503", "503 for 3 minutes"},
	"odd answer":             {"no access token", "another token type", "error beside the token"},
	"rejected":               {"invalid_grant 400", "invalid_grant 401", "invalid_grant 403", "invalid_client", "firewall page"},
}

// faultKind returns the kind of a fault.
func faultKind(fault string) string {
	for name, faults := range faultKinds {
		if slices.Contains(faults, fault) {
			return name
		}
	}
	return fault
}

// kindsOf returns the kinds of faults that a call can have.
func kindsOf(call string) (all []kind) {
	for _, fault := range faultsOf(call) {
		if k := (kind{callKind(call), faultKind(fault)}); !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	return all
}

// faultsLike returns the faults of a kind that a call can have.
func faultsLike(call string, k kind) []string {
	return slices.DeleteFunc(slices.Clone(faultsOf(call)), func(fault string) bool { return faultKind(fault) != k.fault })
}
