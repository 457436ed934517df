package rotator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// ActionCheck asks a Doctor to look at everything.
const ActionCheck = "check"

// CheckName says what was looked at.
type CheckName string

// The checks, in the order of the report.
const (
	CheckedConnections      CheckName = "connections" // only where there is none
	CheckedConfig           CheckName = "config"
	CheckedCredentials      CheckName = "credentials"
	CheckedGrant            CheckName = "grant"
	CheckedRefreshTokenAge  CheckName = "refresh_token_age"
	CheckedCredentialsWrite CheckName = "credentials_write"
	CheckedTokenWrite       CheckName = "token_write"
	CheckedParameters       CheckName = "parameters"
	CheckedTokenHost        CheckName = "token_host"
)

// CheckReport is what the doctor found. It holds nothing secret.
type CheckReport struct {
	Version string  `json:"version"`
	Checks  []Check `json:"checks"`
}

// Check is one thing that was looked at.
type Check struct {
	// Connection is empty where it is about the whole stack.
	Connection string    `json:"connection"`
	Check      CheckName `json:"check"`
	OK         bool      `json:"ok"`
	// Message is one line: what was seen, or what is wrong and what mends it.
	Message string `json:"message"`
}

// SecretKind tells a connection's two secrets apart.
type SecretKind string

// The secrets of a connection.
const (
	SecretCredentials SecretKind = "credentials"
	SecretToken       SecretKind = "token"
)

// KindCheck is the parameter that only the doctor writes. No listing shows it.
const KindCheck Kind = "check"

// What a store's errors can match beside ErrNotFound and ErrMoved.
var (
	// ErrDenied: some policy does not allow the call.
	ErrDenied = errors.New("denied")
	// ErrKey: the KMS key could not be used.
	ErrKey = errors.New("key failed")
)

// SecretProber shows what a secret is and tries to write it, without its value.
type SecretProber interface {
	// SecretName is the secret's name in Secrets Manager.
	SecretName(connection string, kind SecretKind) string
	// Describe returns ErrNotFound when there is no such secret.
	Describe(ctx context.Context, connection string, kind SecretKind) (SecretDescription, error)
	// PutLabelled writes document as a version that bears label, and leaves
	// AWSCURRENT where it is unless the secret has no value yet; current tells
	// whether that has happened. Where a version of that id exists, nothing is
	// written, whatever is in it.
	PutLabelled(ctx context.Context, connection string, kind SecretKind, versionID, label, document string) (current bool, err error)
	// RemoveLabel takes label off a version; one that does not bear it is no
	// error.
	RemoveLabel(ctx context.Context, connection string, kind SecretKind, versionID, label string) error
}

// SecretDescription is what a secret shows without its value.
type SecretDescription struct {
	// Labels are those of each version that bears any.
	Labels map[string][]string
	// Current is the version that is current, empty when there is no value yet.
	Current string
	// Key is the customer's KMS key, empty for the AWS managed one.
	Key string
	// Deleted: somebody has scheduled its deletion.
	Deleted bool
}

// ParameterProber tries to write parameters.
type ParameterProber interface {
	// ParameterName is the parameter's name in Parameter Store.
	ParameterName(connection string, kind Kind) string
	// WaitToWrite is that of ParameterWriter.
	WaitToWrite(ctx context.Context, priority Priority) error
	// PutCheck writes the check parameter as a pending refresh token is written.
	PutCheck(ctx context.Context, connection string) error
	// DeleteCheck removes it; one that does not exist is no error.
	DeleteCheck(ctx context.Context, connection string) error
}

// HostProber tries to reach token hosts.
type HostProber interface {
	// Reach connects to the token URL's host as a token request would, sends
	// none, and says in words what it saw. Its errors are *Error.
	Reach(ctx context.Context, tokenURL string) (seen string, err error)
}

// Doctor finds out what is wrong with a stack without asking for a token and
// without changing any current value. Every field but Version must be set.
type Doctor struct {
	Settings    Settings
	Version     string
	Lister      Lister
	Credentials CredentialsReader
	Secrets     SecretProber
	Parameters  ParameterProber
	Hosts       HostProber
	Log         *slog.Logger
}

const (
	// examinedAtOnce bounds how many connections are looked at side by side, so
	// that a large stack stays below the request limits of its account.
	examinedAtOnce = 10
	// cleanupTimeout is kept free for taking away what was written.
	cleanupTimeout = 10 * time.Second
	// reachTimeout bounds one try at a token host, as it does a token request.
	reachTimeout = 20 * time.Second
)

// Check looks at everything and reports, whatever it finds. The error, an
// *Error, says that the connections could not be listed.
func (d *Doctor) Check(ctx context.Context) (report CheckReport, err error) {
	now := time.Now()
	report = CheckReport{Version: d.Version, Checks: []Check{}}
	defer func() {
		if thrown := recover(); thrown != nil {
			err = panicError(thrown) // Lambda would print what was thrown
		}
	}()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = now.Add(defaultTimeout)
	}
	cleanup, cancel := context.WithDeadline(ctx, deadline.Add(-reportReserve))
	defer cancel()
	ctx, cancel = context.WithDeadline(cleanup, deadline.Add(-reportReserve-cleanupTimeout))
	defer cancel()

	all, err := d.list(ctx, now)
	if err != nil {
		d.Log.ErrorContext(ctx, "check", "error", err.Error())
		return report, err
	}
	if len(all) == 0 {
		report.Checks = append(report.Checks, wrong(CheckedConnections, "there is none: no parameter %s exists; deploy the stack again, which makes the connection default", d.Parameters.ParameterName("NAME", KindConfig)))
	}
	report.Checks = append(report.Checks, d.examineAll(ctx, cleanup, now, all)...)
	d.logCheck(cleanup, report)
	return report, nil
}

func (d *Doctor) list(ctx context.Context, now time.Time) ([]Connection, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	listing, err := d.Lister.List(ctx)
	if err != nil {
		below, _ := strings.CutSuffix(parameterARN(d.Parameters.ParameterName("*", KindConfig)), "/*/config")
		return nil, &Error{Code: StateUnavailable, Cause: err, Message: "the connections could not be listed: " + whyNot(err, "ssm:GetParametersByPath on "+below+" and "+below+"/*")}
	}
	return connections(listing, d.Settings, now), nil
}

// examineAll looks at all connections; at a token host once, also where many
// connections share it.
func (d *Doctor) examineAll(ctx, cleanup context.Context, now time.Time, all []Connection) []Check {
	var (
		hosts   map[string]Check
		found   = make([][]Check, len(all))
		slots   = make(chan struct{}, examinedAtOnce)
		running sync.WaitGroup
	)
	running.Go(func() { hosts = d.reachAll(ctx, all) })
	for i, c := range all {
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			e := &examination{Doctor: d, Connection: c, now: now}
			found[i] = safely(CheckedConfig, func() []Check { return e.examine(ctx, cleanup) })
		})
	}
	running.Wait()
	var checks []Check
	for i, c := range all {
		host, ok := hosts[c.Config.TokenURL]
		if c.ConfigError != nil || !ok {
			host = wrong(CheckedTokenHost, "not tried: correct the config first")
		}
		for _, check := range append(found[i], host) {
			check.Connection = c.Name
			checks = append(checks, check)
		}
	}
	return checks
}

// reachAll tries the token URLs of valid configs, which are known to be within
// the token hosts.
func (d *Doctor) reachAll(ctx context.Context, all []Connection) map[string]Check {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	var (
		mu      sync.Mutex
		running sync.WaitGroup
		hosts   = map[string]Check{}
		begun   = map[string]bool{}
	)
	for _, c := range all {
		url := c.Config.TokenURL
		if c.ConfigError != nil || begun[url] {
			continue
		}
		begun[url] = true
		running.Go(func() {
			checks := safely(CheckedTokenHost, func() []Check { return []Check{d.reach(ctx, url)} })
			mu.Lock()
			defer mu.Unlock()
			hosts[url] = checks[0]
		})
	}
	running.Wait()
	return hosts
}

func (d *Doctor) reach(ctx context.Context, url string) Check {
	seen, err := d.Hosts.Reach(ctx, url)
	if failure := firstOf(err); failure != nil {
		return wrong(CheckedTokenHost, "%s", failure.Message)
	}
	return Check{Check: CheckedTokenHost, OK: err == nil, Message: seen}
}

// logCheck logs what is wrong; what is well is counted.
func (d *Doctor) logCheck(ctx context.Context, report CheckReport) {
	level, wrong := slog.LevelInfo, []Check{}
	for _, check := range report.Checks {
		if !check.OK {
			level, wrong = slog.LevelWarn, append(wrong, check)
		}
	}
	d.Log.Log(ctx, level, "check", "checked", len(report.Checks), "wrong", wrong)
}

func fine(name CheckName, format string, args ...any) Check {
	return Check{Check: name, OK: true, Message: fmt.Sprintf(format, args...)}
}

func wrong(name CheckName, format string, args ...any) Check {
	return Check{Check: name, Message: fmt.Sprintf(format, args...)}
}

// safely makes a panic in some checks the finding of the one named: what was
// thrown could hold a secret.
func safely(name CheckName, look func() []Check) (checks []Check) {
	defer func() {
		if thrown := recover(); thrown != nil {
			checks = []Check{wrong(name, "%s", panicError(thrown).Message)}
		}
	}()
	return look()
}
