package aws

import (
	"strings"
	"time"
)

// VersionInfo is one version of a secret.
type VersionInfo struct {
	// Value is the SecretString, or the bytes of the SecretBinary.
	Value string
	// Binary: it is a SecretBinary.
	Binary    bool
	Labels    []string // staging labels, sorted
	CreatedAt time.Time
}

// The following methods are for what an operator does and what a test reads. They
// have no faults, no throttling, no hook and no counters. A write that AWS would
// refuse panics, because it is a mistake of the test.

// PutSecret makes value the secret's current version, as an operator with the
// AWS CLI would, and creates the secret if need be. It returns the version's id.
func (s *Server) PutSecret(name, val string) (versionID string) {
	id, err := s.TryPutSecret(name, val)
	must(err)
	return id
}

// TryPutSecret is PutSecret, but AWS may refuse the write.
func (s *Server) TryPutSecret(name, val string) (versionID string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := newID()
	_, err = s.findLive(name)
	if s.secrets[name] == nil {
		_, err = s.createSecret(createSecretInput{Name: name, ClientRequestToken: id, SecretString: &val})
	} else if err == nil {
		_, err = s.putSecretValue(putSecretValueInput{
			secretID: secretID{name}, ClientRequestToken: id, SecretString: &val,
		})
	}
	return id, err
}

// CreateSecret creates a secret without a value, as CloudFormation does if the
// template has none. It does not change an existing secret.
func (s *Server) CreateSecret(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(name); err == nil {
		return
	}
	_, err := s.createSecret(createSecretInput{Name: name})
	must(err)
}

// Secret returns the value of AWSCURRENT, or false if there is none.
func (s *Server) Secret(name string) (val string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.find(name)
	if err != nil {
		return "", false
	}
	v := found.byStage(current)
	if v == nil {
		return "", false
	}
	return v.info().Value, true
}

// SecretVersions returns the secret's versions by their ids, including those without
// a label. It returns none if the secret does not exist.
func (s *Server) SecretVersions(name string) map[string]VersionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	infos := map[string]VersionInfo{}
	found, err := s.find(name)
	if err != nil {
		return infos
	}
	for _, v := range found.versions {
		infos[v.id] = v.info()
	}
	return infos
}

func (v *version) info() VersionInfo {
	info := VersionInfo{Value: string(v.value.binary), Binary: true, Labels: v.labels(), CreatedAt: v.createdAt}
	if v.value.text != nil {
		info.Value, info.Binary = *v.value.text, false
	}
	return info
}

// PutParameter writes a parameter, of the type String if it is new, and returns
// its new version.
func (s *Server) PutParameter(name, val string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := putParameterInput{Name: name, Value: val, Overwrite: true}
	if s.parameters[name] == nil {
		in.Type = typeString
	}
	number, err := s.setParameter(in)
	must(err)
	return number
}

// Parameter returns a parameter's latest value, decrypted, and its version, or false
// if it does not exist.
func (s *Server) Parameter(name string) (val string, version int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.parameters[name]
	if p == nil {
		return "", 0, false
	}
	return p.latest().value, p.latest().number, true
}

// DeleteParameter removes a parameter. It is no error if the parameter does not
// exist.
func (s *Server) DeleteParameter(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.deleteParameter(deleteParameterInput{name})
}

// Stale makes the next reads of every parameter whose name ends in suffix show the
// version before the latest, or nothing if there is only one. It does not affect
// reads of a chosen version.
func (s *Server) Stale(suffix string, reads int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, p := range s.parameters {
		if strings.HasSuffix(name, suffix) {
			p.stale = reads
		}
	}
}

func must(err error) {
	if err != nil {
		panic("fake/aws: " + err.Error())
	}
}

// Age makes every version of a secret older by d, as if that time had passed.
func (s *Server) Age(name string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.secrets[name].versions {
		v.createdAt = v.createdAt.Add(-d)
	}
}
