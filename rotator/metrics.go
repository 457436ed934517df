package rotator

// Metrics is what one run measured. What it holds is written even where it is
// zero, so that an alarm can tell none from unknown.
type Metrics struct {
	// Heartbeats is 1 for a run that could see the connections, else 0: a
	// rotator that cannot list is as silent to its users as one that is gone.
	Heartbeats int
	// Late counts connections whose token has less than half of its refresh
	// window left or, after the answer "unchanged", expired over 60 s ago.
	Late int
	// NeedsPerson counts connections whose standing error time will not mend.
	NeedsPerson int
	// Unseeded counts connections that nobody has given credentials yet.
	Unseeded int
	// Refreshes counts new tokens published.
	Refreshes int
	// Failures counts attempts that failed.
	Failures int
	// Throttles counts 429 replies of token endpoints.
	Throttles int
	// TokenSecondsRemaining has one value, in seconds, for each connection that
	// ever had a token; negative once it has expired.
	TokenSecondsRemaining []float64
	// RefreshTokenAgeDays has one value, in days, for each connection that
	// lives on a refresh token and cannot log in.
	RefreshTokenAgeDays []float64
	// GrantMilliseconds has one value, in milliseconds, for each token request
	// that was answered.
	GrantMilliseconds []float64
	// ListingFailed says that Late, NeedsPerson and Unseeded are not known.
	ListingFailed bool
}
