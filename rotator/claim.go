package rotator

import (
	"encoding/json"
	"time"
)

// maxClaim is the furthest ahead that a claim's end is believed.
const maxClaim = 15 * time.Minute

// Claim says that a run is refreshing a connection. Parameter Store's versions
// decide who holds it: a run that saw version From and whose write became
// version From+1 does.
type Claim struct {
	// Run is the Lambda request id and a random part, because a retried
	// invocation has the same request id.
	Run string `json:"run"`
	// From is the claim's version that the run saw before it wrote.
	From int64 `json:"from"`
	// Until is when the run has stopped for certain.
	Until time.Time `json:"until"`
}

func parseClaim(document string) Claim {
	var c Claim
	if err := json.Unmarshal([]byte(document), &c); err != nil {
		return Claim{}
	}
	return c
}

func (c Claim) document() string {
	document, _ := json.Marshal(c) // cannot fail: strings, numbers, a time of this century
	return string(document)
}

// open tells whether the run that wrote the claim has left no record. The
// comparison is with From, not with the parameter's version, so that the write
// of a run that came second does not outlive the winner's record.
func (c Connection) open(now time.Time) bool {
	recorded := c.State.ClaimVersion
	if recorded > c.ClaimVersion {
		recorded = 0 // somebody deleted the claim: its versions count from 1 again
	}
	return c.Claim.Run != "" && !c.Claim.Until.IsZero() &&
		!c.Claim.Until.After(now.Add(maxClaim)) && c.Claim.From+1 > recorded
}

// claimed tells whether another run is at work on the connection.
func (c Connection) claimed(now time.Time) bool { return c.open(now) && now.Before(c.Claim.Until) }

// abandoned tells whether a run ended without a record, so that nobody knows
// which token is published.
func (c Connection) abandoned(now time.Time) bool {
	return c.open(now) && !now.Before(c.Claim.Until)
}
