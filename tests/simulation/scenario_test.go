package simulation_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

const day = 24 * time.Hour

// mode is what a refresh does to the tokens that were issued.
type mode int

const (
	refreshTokenStays mode = iota
	refreshTokenRotates
	sameTokenUntilExpired
	modes
)

func (m mode) String() string {
	return [...]string{
		"a refresh ends the old access token; the refresh token stays",
		"a refresh ends the old access token and the old refresh token",
		"the server gives the same access token until it has expired",
	}[m]
}

// kind is a kind of disturbance.
type kind int

const (
	endpointDown  kind = iota // no token request is granted
	throttled                 // 429 to all
	slow                      // answers take up to level seconds
	flaky                     // some answers are cut, some are 502
	secretsDown               // all calls to Secrets Manager fail
	secretsBusy               // some are throttled
	tokenDenied               // the token secret cannot be written
	savingDenied              // the credentials secret cannot be written
	parameterDown             // all calls to Parameter Store fail
	parameterBusy             // some are throttled
	silence                   // no heartbeat comes
	kinds
)

// habits says how often each disturbance comes on average, and how long it lasts.
// The durations are spread evenly over their orders of magnitude.
var habits = [kinds]struct{ every, shortest, longest time.Duration }{
	endpointDown:  {6 * day, time.Minute, 4 * time.Hour},
	throttled:     {4 * day, time.Minute, time.Hour},
	slow:          {2 * day, 5 * time.Minute, time.Hour},
	flaky:         {4 * day, time.Minute, 30 * time.Minute},
	secretsDown:   {12 * day, time.Minute, 90 * time.Minute},
	secretsBusy:   {3 * day, 5 * time.Minute, time.Hour},
	tokenDenied:   {12 * day, time.Minute, 30 * time.Minute},
	savingDenied:  {12 * day, time.Minute, 3 * time.Hour},
	parameterDown: {12 * day, time.Minute, 90 * time.Minute},
	parameterBusy: {3 * day, 5 * time.Minute, time.Hour},
	silence:       {8 * day, time.Minute, 45 * time.Minute},
}

// outage reports whether no token can be obtained during this disturbance. One that
// only makes it harder does not count.
func (k kind) outage() bool {
	switch k {
	case endpointDown, throttled, secretsDown, tokenDenied, parameterDown, silence:
		return true
	}
	return false
}

// span is a time, counted from the scenario's start.
type span struct{ from, to time.Duration }

// trouble is one disturbance.
type trouble struct {
	span
	form       int
	level      float64
	retryAfter time.Duration
}

// event is something that happens at an instant.
type event struct {
	at time.Duration
	do func(d *deployment)
}

// job works for a while and needs a live token at the instants of its reads.
type job struct{ span }

type read struct {
	at  time.Duration
	job int
}

// scenario is all that happens to a deployment, whatever refreshes its token. It is
// drawn once for each seed. The fault of a single call is drawn from the seed and
// the instant of the call, so that the calls of one policy do not affect another.
type scenario struct {
	seed     uint64
	length   time.Duration
	mode     mode
	password bool

	troubles [kinds][]trouble
	events   []event
	jobs     []job
	reads    []read
}

// newScenario draws a scenario. The seed also selects the mode, and whether the
// credentials have a password, so that six consecutive seeds have all combinations.
func newScenario(seed uint64, length time.Duration) *scenario {
	s := &scenario{seed: seed, length: length, mode: mode(seed % uint64(modes)), password: seed/uint64(modes)%2 == 1}
	random := rand.New(rand.NewPCG(seed, 0))
	for k := range kinds {
		h := habits[k]
		for at := range arrivals(random, h.every, 2*time.Hour, length) {
			lasts := logUniform(random, h.shortest, h.longest)
			s.troubles[k] = append(s.troubles[k], trouble{
				span: span{at, at + lasts}, form: random.IntN(60), level: random.Float64(),
				retryAfter: []time.Duration{0, 5 * time.Second, 30 * time.Second, 2 * time.Minute}[random.IntN(4)],
			})
		}
	}
	s.drawEvents(random)
	const perHour, perJob = 4, 10
	for at := range arrivals(random, time.Hour/perHour, time.Hour, length-time.Hour) {
		j := job{span{at, at + logUniform(random, time.Minute, time.Hour)}}
		for range perJob {
			s.reads = append(s.reads, read{at + time.Duration(random.Int64N(int64(j.to-j.from))), len(s.jobs)})
		}
		s.jobs = append(s.jobs, j)
	}
	slices.SortFunc(s.reads, func(a, b read) int { return cmp.Or(cmp.Compare(a.at, b.at), a.job-b.job) })
	return s
}

func (s *scenario) drawEvents(random *rand.Rand) {
	add := func(every time.Duration, draw func() func(*deployment)) {
		for at := range arrivals(random, every, 2*time.Hour, s.length-2*time.Hour) {
			s.events = append(s.events, event{at, draw()})
		}
	}
	add(5*day, func() func(*deployment) { return (*deployment).loseState })
	add(3*day, func() func(*deployment) { return (*deployment).loginElsewhere })
	add(20*day, func() func(*deployment) { return func(d *deployment) { d.reseed(user) } })
	add(2*day, func() func(*deployment) {
		ahead := time.Duration(random.Int64N(int64(time.Minute))) - 30*time.Second
		return func(d *deployment) {
			d.settle()
			d.Reltio.SetClock(ahead)
		}
	})
	slices.SortFunc(s.events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
}

// arrivals returns random instants with a given average distance.
func arrivals(random *rand.Rand, every, from, to time.Duration) func(func(time.Duration) bool) {
	return func(yield func(time.Duration) bool) {
		for at := from; ; {
			at += time.Duration(random.ExpFloat64() * float64(every))
			if at >= to || !yield(at) {
				return
			}
		}
	}
}

func logUniform(random *rand.Rand, shortest, longest time.Duration) time.Duration {
	return logUniformBy(random.Float64(), shortest, longest)
}

// at returns the disturbance of a kind at an instant.
func (s *scenario) at(k kind, at time.Duration) (trouble, bool) {
	for _, one := range s.troubles[k] {
		if one.from > at {
			break
		}
		if at < one.to {
			return one, true
		}
	}
	return trouble{}, false
}

// luck returns a number below 1 that depends on the seed, on its purpose and on the
// instant.
func (s *scenario) luck(what string, at time.Duration) float64 {
	x := s.seed*0x9e3779b97f4a7c15 ^ uint64(at)
	for _, c := range []byte(what) {
		x = (x ^ uint64(c)) * 0x100000001b3
	}
	// splitmix64's last steps.
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}

// lasting returns a random duration below longest.
func (s *scenario) lasting(what string, at, longest time.Duration) time.Duration {
	return time.Duration(s.luck(what, at) * float64(longest))
}

// outages are the times in which no new token could be obtained, in order.
func (s *scenario) outages() []span {
	var all []span
	for k := range kinds {
		for _, one := range s.troubles[k] {
			if k.outage() {
				if k == throttled || k == endpointDown && one.form%5 == 3 {
					one.to += one.retryAfter // for so long the server wants not to be asked
				}
				all = append(all, one.span)
			}
		}
	}
	return all
}

// logUniformBy is logUniform by a luck that was drawn.
func logUniformBy(luck float64, shortest, longest time.Duration) time.Duration {
	return time.Duration(float64(shortest) * math.Pow(float64(longest)/float64(shortest), luck))
}
