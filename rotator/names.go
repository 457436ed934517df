package rotator

import "strings"

const (
	digits = "0123456789"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// madeOf reports whether text is one to most of these characters. A regular
// expression would be compiled at every start of the function.
func madeOf(text string, most int, characters string) bool {
	return text != "" && len(text) <= most && strings.Trim(text, characters) == ""
}

// IsConnectionName reports whether name may be a connection's name. It becomes part
// of the names of secrets and parameters.
func IsConnectionName(name string) bool {
	return madeOf(name, 32, lower+digits+"-") && name[0] != '-'
}

func isFingerprint(text string) bool { return len(text) == 16 && madeOf(text, 16, digits+"abcdef") }
