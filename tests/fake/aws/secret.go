package aws

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The labels that Secrets Manager moves by itself.
const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
)

const (
	// maxVersions and keepVersions: "Secrets Manager removes unlabeled versions
	// when there are more than 100, but it does not remove versions created less
	// than 24 hours ago"; who writes more often "will reach the quota".
	// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
	maxVersions  = 100
	keepVersions = 24 * time.Hour
	// maxValue is the size of a secret's value in bytes.
	// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
	maxValue = 65536

	arnPrefix = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
)

// secret is one secret: versions in the order of their creation.
type secret struct {
	name      string
	createdAt time.Time
	deleteAt  time.Time // zero unless it is scheduled for deletion
	versions  []*version
	replicas  []string // regions
}

type version struct {
	id        string
	value     value
	stages    map[string]bool
	createdAt time.Time
}

// value is a SecretString or a SecretBinary.
type value struct {
	text   *string
	binary []byte
}

func (v value) equal(other value) bool {
	if (v.text == nil) != (other.text == nil) {
		return false
	}
	if v.text != nil {
		return *v.text == *other.text
	}
	return bytes.Equal(v.binary, other.binary)
}

func (v value) absent() bool { return v.text == nil && v.binary == nil }

// check refuses anything that is not one value of a possible size. The SDKs do not
// check the size. The API pages say 1 to 65536 bytes.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
func (v value) check() error {
	size := len(v.binary)
	if v.text != nil {
		if v.binary != nil {
			return refuse("InvalidParameterException", "You can't specify both a SecretString and a SecretBinary.")
		}
		size = len(*v.text)
	}
	if size < 1 || size > maxValue {
		return refuse("ValidationException", fmt.Sprintf("The value must have a length from 1 to %d.", maxValue))
	}
	return nil
}

// arn returns an ARN. Its last six characters are random at AWS. Here they depend on
// the name, so that two runs have the same.
func (s *secret) arn() string {
	sum := sha256.Sum256([]byte(s.name))
	return arnPrefix + s.name + "-" + hex.EncodeToString(sum[:3])
}

func (s *secret) byID(id string) *version {
	for _, v := range s.versions {
		if v.id == id {
			return v
		}
	}
	return nil
}

func (s *secret) byStage(label string) *version {
	for _, v := range slices.Backward(s.versions) { // labels are mostly on late versions
		if v.stages[label] {
			return v
		}
	}
	return nil
}

// add puts value in as a new version that bears the stages. A token that is a
// version's id already is the same write again if the value is the same, and an
// error if it is not.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
func (s *secret) add(id string, val value, stages []string) (*version, error) {
	if old := s.byID(id); old != nil {
		if !old.value.equal(val) {
			return nil, refuse("ResourceExistsException",
				"You can't modify an existing version, you can only create new ones.")
		}
		return old, nil
	}
	s.prune()
	if len(s.versions) >= maxVersions {
		return nil, refuse("LimitExceededException", "The secret has as many versions as there can be.")
	}
	// "If this operation creates the first version for the secret, then Secrets
	// Manager automatically attaches the staging label AWSCURRENT to it."
	if len(stages) == 0 || s.byStage(current) == nil {
		stages = append(slices.Clone(stages), current)
	}
	v := &version{id: id, value: val, stages: map[string]bool{}, createdAt: time.Now()}
	if n := len(s.versions); n > 0 && v.createdAt.Sub(s.versions[n-1].createdAt) < time.Millisecond {
		v.createdAt = s.versions[n-1].createdAt.Add(time.Millisecond) // in synctest, two writes can have the same time
	}
	s.versions = append(s.versions, v)
	for _, label := range stages {
		s.move(label, v)
	}
	return v, nil
}

// move attaches a label to a version: it leaves the version that has it, and
// AWSPREVIOUS follows AWSCURRENT to where that was.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
func (s *secret) move(label string, to *version) {
	from := s.byStage(label)
	if from == to {
		return
	}
	if from != nil {
		delete(from.stages, label)
	}
	to.stages[label] = true
	if label == current && from != nil {
		s.move(previous, from)
	}
}

// prune makes room for one more version by removing the oldest that have no
// label and are a day old.
func (s *secret) prune() {
	s.versions = slices.DeleteFunc(s.versions, func() func(*version) bool {
		tooMany := len(s.versions) - maxVersions + 1
		return func(v *version) bool {
			gone := tooMany > 0 && len(v.stages) == 0 && time.Since(v.createdAt) >= keepVersions
			if gone {
				tooMany--
			}
			return gone
		}
	}())
}

func (v *version) labels() []string { return slices.Sorted(maps.Keys(v.stages)) }

// find returns the secret with a name or an ARN, with or without the ARN's random
// end. It also finds a secret that is scheduled for deletion.
func (s *Server) find(id string) (*secret, error) {
	name, isARN := strings.CutPrefix(id, arnPrefix)
	found := s.secrets[name]
	if found == nil && isARN {
		if cut := strings.LastIndexByte(name, '-'); cut >= 0 {
			found = s.secrets[name[:cut]]
		}
		if found != nil && found.arn() != id {
			found = nil
		}
	}
	if found != nil && !found.deleteAt.IsZero() && !time.Now().Before(found.deleteAt) {
		delete(s.secrets, found.name)
		found = nil
	}
	if found == nil {
		return nil, refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	}
	return found, nil
}

// findLive is find for operations that a secret scheduled for deletion refuses.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
func (s *Server) findLive(id string) (*secret, error) {
	found, err := s.find(id)
	if err == nil && !found.deleteAt.IsZero() {
		return nil, refuse("InvalidRequestException",
			"You can't perform this operation on the secret because it was marked for deletion.")
	}
	return found, err
}

// newID is a random UUID, such as the SDKs send as ClientRequestToken.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
