// Package doctor checks a stack: configuration, credentials, permissions and the
// way to the token host. It sends no token request and changes no current value.
//
// A Doctor runs beside the heartbeats, on the event {"action":"check"}. It judges
// by the rules of package rotator, so that it reports what the next run would do.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"reltio-token-rotator/rotator"
)

// CheckName names what was checked.
type CheckName string

// The checks, in the order of the report.
const (
	CheckConnections      CheckName = "connections" // only where there is none
	CheckConfig           CheckName = "config"
	CheckCredentials      CheckName = "credentials"
	CheckGrant            CheckName = "grant"
	CheckRefreshTokenAge  CheckName = "refresh_token_age"
	CheckCredentialsWrite CheckName = "credentials_write"
	CheckTokenWrite       CheckName = "token_write"
	CheckParameters       CheckName = "parameters"
	CheckTokenLifetime    CheckName = "token_lifetime"
	CheckLogin            CheckName = "login"
	CheckTokenHost        CheckName = "token_host"
)

// Report is what the doctor found. It holds nothing secret.
type Report struct {
	Version string  `json:"version"`
	Checks  []Check `json:"checks"`
}

// Check is the result of one check.
type Check struct {
	// Connection is empty where the check is about the whole stack.
	Connection string    `json:"connection"`
	Check      CheckName `json:"check"`
	OK         bool      `json:"ok"`
	// Message is one line: what was found, and if that is wrong, what to do.
	Message string `json:"message"`
}

// Secrets describes secrets and tries to write them, without their values.
type Secrets interface {
	// SecretName is the secret's name in Secrets Manager.
	SecretName(connection string, kind rotator.SecretKind) string
	// Describe returns rotator.ErrNotFound when there is no such secret.
	Describe(ctx context.Context, connection string, kind rotator.SecretKind) (rotator.SecretDescription, error)
	// PutLabelled writes document as a version that has label, and leaves
	// AWSCURRENT where it is unless the secret has no value yet; current reports
	// whether that has happened. Where a version of that id exists, nothing is
	// written, whatever it holds.
	PutLabelled(ctx context.Context, connection string, kind rotator.SecretKind, versionID, label, document string) (current bool, err error)
	// RemoveLabel removes label from a version. It is no error when the version
	// does not have it.
	RemoveLabel(ctx context.Context, connection string, kind rotator.SecretKind, versionID, label string) error
}

// Parameters tries to write parameters.
type Parameters interface {
	// ParameterName is the parameter's name in Parameter Store.
	ParameterName(connection string, kind rotator.Kind) string
	// WaitToWrite is that of rotator.ParameterWriter.
	WaitToWrite(ctx context.Context, priority rotator.Priority) error
	// PutCheck writes the check parameter as a pending refresh token is written.
	PutCheck(ctx context.Context, connection string) error
	// DeleteCheck deletes it. It is no error when it does not exist.
	DeleteCheck(ctx context.Context, connection string) error
}

// Hosts tries to reach token hosts.
type Hosts interface {
	// Reach connects to the token URL's host as a token request would, sends no
	// request, and reports in words what it found. Its errors are *rotator.Error.
	Reach(ctx context.Context, tokenURL string) (found string, err error)
}

// CredentialsReader reads credentials secrets, as rotator.CredentialsReader does.
type CredentialsReader interface {
	Read(ctx context.Context, connection string) (rotator.SecretVersion, error)
}

// Doctor checks one stack. Every field but Version must be set.
type Doctor struct {
	Settings    rotator.Settings
	Version     string
	Lister      rotator.Lister
	Credentials CredentialsReader
	Secrets     Secrets
	Parameters  Parameters
	Hosts       Hosts
	Log         *slog.Logger
}

const (
	// concurrentConnections limits how many connections are checked at the same
	// time, so that a large stack stays below its account's request limits.
	concurrentConnections = 10
	// defaultTimeout is the time of a check where the context has no deadline.
	defaultTimeout = 180 * time.Second
	// reportReserve is the part of that time that is kept for the report, and
	// cleanupReserve the part that is kept for deleting what was written.
	reportReserve  = 2 * time.Second
	cleanupReserve = 10 * time.Second
	// callTimeout limits one call of a store, listTimeout the listing.
	callTimeout = 10 * time.Second
	listTimeout = 20 * time.Second
)

// Check checks everything and reports, whatever it finds. The error, a
// *rotator.Error, means that the connections could not be listed.
func (d *Doctor) Check(ctx context.Context) (report Report, err error) {
	now := time.Now()
	report = Report{Version: d.Version, Checks: []Check{}}
	defer func() {
		if thrown := recover(); thrown != nil {
			err = rotator.PanicError(thrown) // Lambda would print the panic's value
		}
	}()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = now.Add(defaultTimeout)
	}
	cleanup, cancel := context.WithDeadline(ctx, deadline.Add(-reportReserve))
	defer cancel()
	ctx, cancel = context.WithDeadline(cleanup, deadline.Add(-reportReserve-cleanupReserve))
	defer cancel()

	all, err := d.list(ctx, now)
	if err != nil {
		d.Log.ErrorContext(ctx, "check", "error", err.Error())
		return report, err
	}
	if len(all) == 0 {
		report.Checks = append(report.Checks, failed(CheckConnections,
			"there is no connection: no parameter %s exists; deploy the stack again, which creates the connection default",
			d.Parameters.ParameterName("NAME", rotator.KindConfig)))
	}
	report.Checks = append(report.Checks, d.checkAll(ctx, cleanup, now, all)...)
	d.log(cleanup, report)
	return report, nil
}

func (d *Doctor) list(ctx context.Context, now time.Time) ([]rotator.Connection, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	listing, err := d.Lister.List(ctx)
	if err != nil {
		path, _ := strings.CutSuffix(parameterARN(d.Parameters.ParameterName("*", rotator.KindConfig)), "/*/config")
		return nil, &rotator.Error{
			Code: rotator.StateUnavailable, Cause: err,
			Message: "the connections could not be listed: " + whyFailed(err, "ssm:GetParametersByPath on "+path+" and "+path+"/*"),
		}
	}
	return rotator.Connections(listing, d.Settings, now), nil
}

// checkAll checks all connections side by side, and each token URL once, also
// where many connections share it.
func (d *Doctor) checkAll(ctx, cleanup context.Context, now time.Time, all []rotator.Connection) []Check {
	var (
		hosts   map[string]Check
		found   = make([][]Check, len(all))
		logins  = make([][]login, len(all))
		slots   = make(chan struct{}, concurrentConnections)
		running sync.WaitGroup
	)
	running.Go(func() { hosts = d.reachAll(ctx, all) })
	for i, c := range all {
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			checker := &connectionChecker{Doctor: d, Connection: c, now: now, writes: inSample(i, len(all))}
			found[i] = safely(CheckConfig, func() []Check { return checker.check(ctx, cleanup) })
			logins[i] = checker.logins
		})
	}
	running.Wait()
	allLogins := slices.Concat(logins...)
	var checks []Check
	for i, c := range all {
		host, ok := hosts[c.Config.TokenURL]
		if c.ConfigError != nil || !ok {
			host = failed(CheckTokenHost, "not checked; correct the config first")
		}
		for _, check := range append(found[i], checkLogin(logins[i], allLogins), host) {
			check.Connection = c.Name
			checks = append(checks, check)
		}
	}
	return checks
}

// log logs the checks that failed, and only the number of the others.
func (d *Doctor) log(ctx context.Context, report Report) {
	level, notOK := slog.LevelInfo, []Check{}
	for _, check := range report.Checks {
		if !check.OK {
			level, notOK = slog.LevelWarn, append(notOK, check)
		}
	}
	d.Log.Log(ctx, level, "check", "checked", len(report.Checks), "not_ok", notOK)
}

func passed(name CheckName, format string, args ...any) Check {
	return Check{Check: name, OK: true, Message: fmt.Sprintf(format, args...)}
}

func failed(name CheckName, format string, args ...any) Check {
	return Check{Check: name, Message: fmt.Sprintf(format, args...)}
}

// safely turns a panic into a failure of the named check. The panic's value
// could hold a secret and is not shown.
func safely(name CheckName, check func() []Check) (checks []Check) {
	defer func() {
		if thrown := recover(); thrown != nil {
			checks = []Check{failed(name, "%s", rotator.PanicError(thrown).Message)}
		}
	}()
	return check()
}

// messageOf is the message of a *rotator.Error, "" for any other error.
func messageOf(err error) string {
	if failure, ok := errors.AsType[*rotator.Error](err); ok {
		return failure.Message
	}
	return ""
}
