package memory

import (
	"context"
	"errors"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

const (
	// attempts, attemptTimeout and backOff are the SDK's: 3 attempts, each cut off
	// by the store's HTTP client, and between them the mean of what it draws.
	attempts       = 3
	attemptTimeout = 5 * time.Second
	backOff        = 500 * time.Millisecond
)

// Call is one attempt at a call as it meets the weather.
type Call struct {
	// Operation is the API's name for the call, such as "PutSecretValue".
	Operation string
	// Connection and Kind are the secret's or parameter's; empty for a listing.
	Connection, Kind string
}

// Fault is what goes wrong with one attempt at a call. The zero Fault is
// nothing.
type Fault struct {
	// Latency passes before the effect. From 5 s on the attempt fails, without
	// an effect.
	Latency time.Duration
	// Code is the error that comes back, such as "ThrottlingException"; the
	// call has no effect then, unless Lost.
	Code string
	// Lost: the call has its effect and no answer comes back.
	Lost bool
	// Lag is how far a listing is behind.
	Lag time.Duration
}

// Store is one process's way to an account: the rotator's interfaces, with the
// SDK's repeats and the process's own spacing of parameter writes.
type Store struct {
	aws          *AWS
	writeLimiter writeLimiter
}

var (
	_ rotator.Lister            = (*Store)(nil)
	_ rotator.ParameterWriter   = (*Store)(nil)
	_ rotator.CredentialsReader = (*Store)(nil)
	_ rotator.CredentialsSaver  = (*Store)(nil)
	_ rotator.Pending           = (*Store)(nil)
	_ rotator.TokenPublisher    = (*Store)(nil)
)

// Process returns the store of a new process.
func (a *AWS) Process() *Store { return &Store{aws: a} }

// call makes up to three attempts at a call. The effect runs under the
// account's lock, and its own error is not one to try again after.
func (s *Store) call(ctx context.Context, c Call, effect func(Fault) error) error {
	var failed error
	for attempt := range attempts {
		if attempt > 0 && sleep(ctx, backOff<<(attempt-1)) != nil {
			break
		}
		var fault Fault
		if s.aws.Weather != nil {
			fault = s.aws.Weather(c)
		}
		if sleep(ctx, min(fault.Latency, attemptTimeout)) != nil {
			return errors.New(c.Operation + ": timed out")
		}
		if fault.Latency >= attemptTimeout {
			failed = errors.New(c.Operation + ": timed out")
			continue
		}
		if fault.Code == "" || fault.Lost {
			s.aws.mu.Lock()
			err := effect(fault)
			s.aws.mu.Unlock()
			if fault.Code == "" || err != nil {
				return err
			}
		}
		failed = errors.New(c.Operation + ": " + fault.Code)
		if !passing(fault.Code) {
			break
		}
	}
	return failed
}

// passing reports whether the SDK tries again after an error of this code.
func passing(code string) bool {
	switch code {
	case "ThrottlingException", "InternalServiceError", "InternalServerError", "connection failed":
		return true
	}
	return false
}

// List implements rotator.Lister.
func (s *Store) List(ctx context.Context) ([]rotator.Parameter, error) {
	var found []rotator.Parameter
	err := s.call(ctx, Call{Operation: "GetParametersByPath"}, func(fault Fault) error {
		asOf := time.Now().Add(-fault.Lag)
		found = make([]rotator.Parameter, 0, len(s.aws.parameters))
		for key, p := range s.aws.parameters {
			if r, seen := p.asOf(asOf); seen {
				found = append(found, rotator.Parameter{
					Connection: key.connection, Kind: key.kind,
					Value: secret.New(r.value), Version: r.number,
				})
			}
		}
		return nil
	})
	return found, err
}

// WaitToWrite implements rotator.ParameterWriter.
func (s *Store) WaitToWrite(ctx context.Context, priority rotator.Priority) error {
	return s.writeLimiter.wait(ctx, priority)
}

// Put implements rotator.ParameterWriter.
func (s *Store) Put(ctx context.Context, connection string, kind rotator.Kind, value string) (version int64, err error) {
	err = s.put(ctx, parameterKey{connection, kind}, value, &version)
	if err != nil {
		return 0, err
	}
	return version, nil
}

func (s *Store) put(ctx context.Context, key parameterKey, value string, version *int64) error {
	return s.call(ctx, Call{"PutParameter", key.connection, string(key.kind)}, func(Fault) error {
		if s.aws.parameters[key] == nil && time.Since(s.aws.deleted[key]) < recreateAfter {
			return errors.New("PutParameter: TooManyUpdates")
		}
		*version = s.aws.parameter(key).write(value)
		return nil
	})
}

// At implements rotator.ParameterWriter.
func (s *Store) At(ctx context.Context, connection string, kind rotator.Kind, version int64) (string, error) {
	var value string
	err := s.call(ctx, Call{"GetParameter", connection, string(kind)}, func(Fault) error {
		p := s.aws.parameters[parameterKey{connection, kind}]
		if p == nil {
			return rotator.ErrNotFound
		}
		r, exists := p.at(version)
		if !exists {
			return rotator.ErrNotFound
		}
		value = r.value
		return nil
	})
	return value, err
}

// PutPending implements rotator.Escrow.
func (s *Store) PutPending(ctx context.Context, connection string, document secret.Value) error {
	var version int64
	return s.put(ctx, parameterKey{connection, rotator.KindPending}, document.Reveal(), &version)
}

// DeletePending implements rotator.Escrow.
func (s *Store) DeletePending(ctx context.Context, connection string) error {
	key := parameterKey{connection, rotator.KindPending}
	return s.call(ctx, Call{"DeleteParameter", connection, string(rotator.KindPending)}, func(Fault) error {
		if s.aws.parameters[key] != nil {
			delete(s.aws.parameters, key)
			s.aws.deleted[key] = time.Now()
		}
		return nil
	})
}

// Read implements rotator.CredentialsReader.
func (s *Store) Read(ctx context.Context, connection string) (rotator.SecretVersion, error) {
	var found rotator.SecretVersion
	err := s.callSecret(ctx, "GetSecretValue", connection, Credentials, func(sec *storedSecret) error {
		if sec.current == nil {
			return rotator.ErrNotFound
		}
		v := sec.current
		found = rotator.SecretVersion{ID: v.id, Document: secret.New(v.document), CreatedAt: v.created}
		return nil
	})
	return found, err
}

// Save implements rotator.CredentialsSaver.
func (s *Store) Save(ctx context.Context, connection, versionID string, document secret.Value) error {
	return s.callSecret(ctx, "PutSecretValue", connection, Credentials, func(sec *storedSecret) error {
		return sec.put(versionID, document.Reveal())
	})
}

// Publish implements rotator.TokenPublisher.
func (s *Store) Publish(ctx context.Context, connection, versionID string, document secret.Value) error {
	return s.callSecret(ctx, "PutSecretValue", connection, Token, func(sec *storedSecret) error {
		return sec.put(versionID, document.Reveal())
	})
}

// Labels implements rotator.CredentialsSaver.
func (s *Store) Labels(ctx context.Context, connection string) (rotator.VersionLabels, error) {
	var labels rotator.VersionLabels
	err := s.callSecret(ctx, "DescribeSecret", connection, Credentials, func(sec *storedSecret) error {
		labels = rotator.VersionLabels{}
		if sec.current != nil {
			labels.Current = sec.current.id
		}
		if sec.previous != nil {
			labels.Previous = sec.previous.id
		}
		return nil
	})
	return labels, err
}

// RestorePrevious implements rotator.CredentialsSaver.
func (s *Store) RestorePrevious(ctx context.Context, connection, from, to string) error {
	return s.callSecret(ctx, "UpdateSecretVersionStage", connection, Credentials, func(sec *storedSecret) error {
		target := sec.byID(to)
		if target == nil || sec.byID(from) == nil {
			return errors.New("UpdateSecretVersionStage: ResourceNotFoundException")
		}
		if sec.current.id != from {
			return rotator.ErrMoved
		}
		sec.promote(target)
		return nil
	})
}

func (s *Store) callSecret(ctx context.Context, operation, connection string, kind SecretKind, effect func(s *storedSecret) error) error {
	return s.call(ctx, Call{operation, connection, string(kind)}, func(Fault) error {
		sec := s.aws.secrets[secretKey{connection, kind}]
		if sec == nil {
			if operation == "GetSecretValue" {
				return rotator.ErrNotFound
			}
			return errors.New(operation + ": ResourceNotFoundException")
		}
		return effect(sec)
	})
}
