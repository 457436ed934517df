package rotator

import (
	"encoding/json"
	"time"
)

// maxLease is the furthest ahead that a lease's end is believed.
const maxLease = 15 * time.Minute

// Lease says that a run is refreshing a connection. Parameter Store's versions
// decide who holds it: a run that saw version From and whose write became
// version From+1 does.
type Lease struct {
	// Run is the Lambda request id and a random part, because a retried
	// invocation has the same request id.
	Run string `json:"run"`
	// From is the lease's version that the run saw before it wrote.
	From int64 `json:"from"`
	// Until is when the run has stopped for certain.
	Until time.Time `json:"until"`
}

func parseLease(document string) Lease {
	var c Lease
	if err := json.Unmarshal([]byte(document), &c); err != nil {
		return Lease{}
	}
	return c
}

func (c Lease) document() string {
	document, _ := json.Marshal(c) // cannot fail: strings, numbers, a time of this century
	return string(document)
}

// open reports whether the run that wrote the lease has left no record. The
// comparison is with From, not with the parameter's version, so that the write
// of a run that came second does not outlive the winner's record.
func (c Connection) open(now time.Time) bool {
	recorded := c.State.LeaseVersion
	if recorded > c.LeaseVersion {
		recorded = 0 // somebody deleted the lease: its versions count from 1 again
	}
	return c.Lease.Run != "" && !c.Lease.Until.IsZero() &&
		!c.Lease.Until.After(now.Add(maxLease)) && c.Lease.From+1 > recorded
}

// leased reports whether another run is at work on the connection.
func (c Connection) leased(now time.Time) bool { return c.open(now) && now.Before(c.Lease.Until) }

// abandoned reports whether a run ended without a record, so that nobody knows
// which token is published.
func (c Connection) leaseExpired(now time.Time) bool {
	return c.open(now) && !now.Before(c.Lease.Until)
}
