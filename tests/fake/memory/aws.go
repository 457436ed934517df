package memory

import (
	"fmt"
	"sync"
	"time"

	"reltio-token-rotator/rotator"
)

const (
	// maxHistory is how many versions of a parameter are kept.
	maxHistory = 100
	// maxVersions of a secret; those without a label go when they are a day old.
	maxVersions = 100
	keepVersion = 24 * time.Hour
	// recreateAfter is how long the name of a deleted parameter cannot be used.
	recreateAfter = 30 * time.Second
)

// AWS is one account. Its methods are a person's hand or a test's eye: they
// meet no weather and take no time. Functions use a Store.
type AWS struct {
	// Weather says what is wrong with a call; nil is fair weather. Set it before
	// the first call.
	Weather func(Call) Fault

	mu         sync.Mutex
	parameters map[parameterKey]*parameter
	deleted    map[parameterKey]time.Time
	secrets    map[secretKey]*storedSecret
	people     int
}

// NewAWS returns an account with nothing in it.
func NewAWS() *AWS {
	return &AWS{
		parameters: map[parameterKey]*parameter{},
		deleted:    map[parameterKey]time.Time{},
		secrets:    map[secretKey]*storedSecret{},
	}
}

type parameterKey struct {
	connection string
	kind       rotator.Kind
}

// SecretKind is the last part of a secret's name.
type SecretKind string

// The secrets of a connection.
const (
	Credentials SecretKind = "credentials"
	Token       SecretKind = "token"
)

type secretKey struct {
	connection string
	kind       SecretKind
}

// parameter has its versions, oldest first. Versions count from 1.
type parameter struct{ history []revision }

type revision struct {
	number  int64
	value   string
	written time.Time
}

func (p *parameter) write(value string) int64 {
	number := int64(1)
	if n := len(p.history); n > 0 {
		number = p.history[n-1].number + 1
	}
	p.history = append(p.history, revision{number, value, time.Now()})
	if len(p.history) > 2*maxHistory {
		p.history = append([]revision(nil), p.history[len(p.history)-maxHistory:]...)
	}
	return number
}

// asOf returns the version that a read sees which lags behind.
func (p *parameter) asOf(t time.Time) (revision, bool) {
	for i := len(p.history) - 1; i >= 0; i-- {
		if !p.history[i].written.After(t) {
			return p.history[i], true
		}
	}
	return revision{}, false
}

func (p *parameter) at(number int64) (revision, bool) {
	first := max(0, len(p.history)-maxHistory)
	for _, r := range p.history[first:] {
		if r.number == number {
			return r, true
		}
	}
	return revision{}, false
}

type storedSecret struct {
	versions          []*version
	current, previous *version
}

type version struct {
	id, document string
	created      time.Time
}

func (s *storedSecret) byID(id string) *version {
	for _, v := range s.versions {
		if v.id == id {
			return v
		}
	}
	return nil
}

// put adds a current version. The same id and document again change nothing.
func (s *storedSecret) put(id, document string) error {
	if old := s.byID(id); old != nil {
		if old.document != document {
			return fmt.Errorf("PutSecretValue: ResourceExistsException")
		}
		return nil
	}
	s.prune()
	if len(s.versions) >= maxVersions {
		return fmt.Errorf("PutSecretValue: LimitExceededException")
	}
	v := &version{id, document, time.Now()}
	s.versions = append(s.versions, v)
	s.promote(v)
	return nil
}

func (s *storedSecret) promote(v *version) {
	if v != s.current {
		s.previous, s.current = s.current, v
	}
}

func (s *storedSecret) prune() {
	kept := s.versions[:0]
	tooMany := len(s.versions) - maxVersions + 1
	for _, v := range s.versions {
		if tooMany > 0 && v != s.current && v != s.previous && time.Since(v.created) >= keepVersion {
			tooMany--
			continue
		}
		kept = append(kept, v)
	}
	s.versions = kept
}

// Add makes a connection as the template does, with nothing in its secrets.
func (a *AWS) Add(connection string) {
	for _, kind := range []rotator.Kind{rotator.KindConfig, rotator.KindState, rotator.KindLease} {
		a.PutParameter(connection, kind, "{}")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.secrets[secretKey{connection, Credentials}] = &storedSecret{}
	a.secrets[secretKey{connection, Token}] = &storedSecret{}
}

// PutParameter writes a parameter.
func (a *AWS) PutParameter(connection string, kind rotator.Kind, value string) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.parameter(parameterKey{connection, kind}).write(value)
}

// parameter returns a parameter, made if need be.
func (a *AWS) parameter(key parameterKey) *parameter {
	p := a.parameters[key]
	if p == nil {
		p = &parameter{}
		a.parameters[key] = p
	}
	return p
}

// DeleteParameter removes a parameter; its name can be used again at once.
func (a *AWS) DeleteParameter(connection string, kind rotator.Kind) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.parameters, parameterKey{connection, kind})
}

// Parameter returns a parameter's value; false where there is none.
func (a *AWS) Parameter(connection string, kind rotator.Kind) (value string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.parameters[parameterKey{connection, kind}]
	if p == nil {
		return "", false
	}
	return p.history[len(p.history)-1].value, true
}

// PutSecret writes a secret as a person would. It fails when there are as many
// versions of a day as a secret can have.
func (a *AWS) PutSecret(connection string, kind SecretKind, document string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.people++
	id := fmt.Sprintf("person-%032d", a.people)
	return a.secrets[secretKey{connection, kind}].put(id, document)
}

// Secret returns a secret's current value; false while it has none.
func (a *AWS) Secret(connection string, kind SecretKind) (document string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.secrets[secretKey{connection, kind}]
	if s == nil || s.current == nil {
		return "", false
	}
	return s.current.document, true
}
