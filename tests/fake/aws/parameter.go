package aws

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"time"
)

const (
	// maxHistory: "Parameter Store retains the 100 most recently created
	// versions of a parameter."
	// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
	maxHistory = 100
	// maxParameter is the size of a standard parameter's value in bytes. AWS
	// says "4 KB" and "4096 characters"; bytes are the stricter reading.
	// https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
	maxParameter = 4096
	// maxLevels is the depth of a parameter's name.
	// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
	maxLevels = 15

	typeString = "String"
	typeSecure = "SecureString"
)

// parameter is one parameter with its history, oldest first.
type parameter struct {
	name    string
	kind    string
	history []revision
	stale   int // reads to come that do not see the latest revision yet
}

type revision struct {
	number  int64
	value   string
	written time.Time
}

func (p *parameter) latest() revision { return p.history[len(p.history)-1] }

// latestBy returns the latest revision that was written by an instant.
func (p *parameter) latestBy(instant time.Time) (revision, bool) {
	r, seen := p.read()
	for i := len(p.history) - 1; seen && r.written.After(instant); i-- {
		if i < 0 {
			return revision{}, false
		}
		r = p.history[i]
	}
	return r, seen
}

// read returns the revision that a read sees, which may be the one before the
// latest. false means that the read finds no parameter.
func (p *parameter) read() (revision, bool) {
	if p.stale == 0 {
		return p.latest(), true
	}
	p.stale--
	if len(p.history) < 2 {
		return revision{}, false
	}
	return p.history[len(p.history)-2], true
}

func (p *parameter) at(number int64) (revision, bool) {
	for _, r := range p.history {
		if r.number == number {
			return r, true
		}
	}
	return revision{}, false
}

// write adds a revision. Version counts the writes.
func (p *parameter) write(value string) int64 {
	number := int64(1)
	if len(p.history) > 0 {
		number = p.latest().number + 1
	}
	p.history = append(p.history, revision{number, value, time.Now()})
	if len(p.history) > maxHistory {
		p.history = p.history[1:]
	}
	return number
}

// parameterOutput is a parameter as reads show it.
type parameterOutput struct {
	ARN              string
	DataType         string
	LastModifiedDate epoch
	Name             string
	Selector         string `json:",omitempty"`
	Type             string
	Value            string
	Version          int64
}

func (p *parameter) show(r revision, decrypted bool) parameterOutput {
	shown := r.value
	if p.kind == typeSecure && !decrypted {
		sum := sha256.Sum256([]byte(r.value))
		shown = "AQICAH" + base64.StdEncoding.EncodeToString(sum[:])
	}
	return parameterOutput{
		ARN:      "arn:aws:ssm:us-east-1:123456789012:parameter/" + strings.TrimPrefix(p.name, "/"),
		DataType: "text", LastModifiedDate: epochOf(r.written),
		Name: p.name, Type: p.kind, Value: shown, Version: r.number,
	}
}

// checkName checks a name by the rules for new parameters.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
func checkName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-"
	bare := strings.ToLower(strings.TrimPrefix(name, "/"))
	switch {
	case name == "", strings.Trim(name, letters) != "", strings.HasSuffix(name, "/"),
		strings.HasPrefix(bare, "aws"), strings.HasPrefix(bare, "ssm"):
		return refuse("ValidationException", "Parameter name: can't be prefixed with \"aws\" or \"ssm\" "+
			"(case-insensitive) and must consist of letters, numbers and the symbols .-_/")
	case strings.Contains(name, "/") && name[0] != '/':
		return refuse("ValidationException", "Parameter name must be a fully qualified name.")
	case strings.Count(name, "/") > maxLevels:
		return refuse("HierarchyLevelLimitExceededException",
			fmt.Sprintf("A hierarchy can have a maximum of %d levels.", maxLevels))
	}
	return nil
}

// checkValue checks a value by the rules: 1 byte to 4 KB, and no reference to
// another parameter.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
func checkValue(value string) error {
	_, afterBraces, nested := strings.Cut(value, "{{")
	switch {
	case value == "":
		return refuse("ValidationException", "1 validation error detected: Value at 'value' failed to satisfy "+
			"constraint: Member must have length greater than or equal to 1")
	case len(value) > maxParameter:
		return refuse("ValidationException", "Standard tier parameters support a maximum parameter value of 4096 characters.")
	case nested && strings.Contains(afterBraces, "}}"):
		return refuse("ValidationException", "Parameter value can't nest another parameter. Do not use {{}} in the value.")
	}
	return nil
}

// bucket is a token bucket of the size of one second, and of at least one token.
type bucket struct {
	rate, level float64
	filled      time.Time
}

func newBucket(rate float64) bucket {
	return bucket{rate: rate, level: math.Max(1, rate), filled: time.Now()}
}

// take takes a token and reports whether there was one. A bucket without a rate is
// never empty.
func (b *bucket) take() bool {
	if b.rate <= 0 {
		return true
	}
	now := time.Now()
	b.level = math.Min(math.Max(1, b.rate), b.level+b.rate*now.Sub(b.filled).Seconds())
	b.filled = now
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}
