package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	fakeaws "reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/lambda"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
	"reltio-token-rotator/tests/harness/extent"
)

// A token of readOnce lives 40 s: of a shorter life, whole seconds and a heartbeat
// are too large a part.
const (
	shortLife      = 40 * time.Second
	shortUse       = 16 * time.Second // of a job, 40 % of the life
	shortHeartbeat = 200 * time.Millisecond
	// slow is how late a heartbeat is when the machine, and not the rotator, makes
	// tokens too old for a job. A token that a job reads has 4 s more than it needs.
	slow = 2 * time.Second
)

// readOnce counts what jobs of the real function saw that read the secret once, by
// the number of credential sets.
type readOnce struct {
	mu                    sync.Mutex
	jobs, refused, tokens [3]int
	// early counts jobs that were refused before their token's valid_until, and
	// latest is how late the latest heartbeat ended.
	early  int
	latest time.Duration
}

// Jobs read the secret once and then use the token for 40 % of its life, between
// the fakes and the real function: with two credential sets none of them is refused,
// with one set many are. Three functions with ten connections each see 30 lives in
// less than a minute.
func TestJobsOfTheRealFunctionThatReadOnce(t *testing.T) {
	extent.OnlyFull(t) // 55 s
	t.Parallel()
	var seen readOnce
	var running sync.WaitGroup
	for range 3 {
		s := seen.deploy(t, map[int]int{2: 10, 1: 1})
		running.Go(func() { s.live(t, 55*time.Second) })
	}
	running.Wait()
	for sets := 1; sets <= 2; sets++ {
		t.Logf("credential sets: %d; %d jobs, %d refused; %d tokens", sets, seen.jobs[sets], seen.refused[sets], seen.tokens[sets])
	}
	if seen.early > 0 {
		t.Errorf("%d jobs were refused before their token's valid_until", seen.early)
	}
	switch {
	case seen.refused[2] > 0 && seen.latest > slow:
		t.Logf("a heartbeat ended %v late, so that jobs read tokens that were too old", seen.latest)
	case seen.refused[2] > 0:
		t.Errorf("with two sets %d jobs were refused", seen.refused[2])
	}
	if seen.tokens[2] < 60 { // each of 30 lives is two tokens, one of each set
		t.Errorf("with two sets only %d tokens were published", seen.tokens[2])
	}
	if seen.refused[1]*10 < seen.jobs[1] {
		t.Errorf("with one set %d of %d jobs were refused: does this still test anything?", seen.refused[1], seen.jobs[1])
	}
}

// readOnceStack is one function, with the number of sets of each connection.
type readOnceStack struct {
	harness.Fakes
	*lambda.Function
	seen        *readOnce
	api         string
	connections map[string]int
}

// deploy starts a function with so many connections by their number of sets.
func (seen *readOnce) deploy(t *testing.T, howMany map[int]int) *readOnceStack {
	t.Helper()
	s := &readOnceStack{seen: seen, connections: map[string]int{}}
	users := map[string]string{}
	for sets, n := range howMany {
		for i := range n {
			name := fmt.Sprintf("sets-%d-%d", sets, i)
			s.connections[name] = sets
			users[name], users[name+second] = password, password
		}
	}
	s.Fakes = harness.NewFakes(fakeaws.Options{}, fakereltio.Options{Lifetime: shortLife, ClientSecret: clientSecret, Users: users})
	api := httptest.NewServer(s.Reltio)
	t.Cleanup(api.Close)
	s.api = api.URL
	for name, sets := range s.connections {
		of := func(user string) map[string]any {
			_, refreshToken := s.Reltio.LoginAs(user)
			return map[string]any{"client_id": "client", "client_secret": clientSecret, "refresh_token": refreshToken}
		}
		fields := of(name)
		if sets == 2 {
			fields["alternate"] = of(name + second)
		}
		document, _ := json.Marshal(fields)
		s.Add(name)
		s.AWS.PutSecret(harness.SecretName(name, "credentials"), string(document))
	}
	env := append(s.Serve(t, nil, nil), "HEARTBEAT="+shortHeartbeat.String(), "REFRESH_BEFORE=10s", "TOKEN_REQUESTS_PER_SECOND=50")
	s.Function = harness.Start(t, lambda.Config{Binary: rotate.Path(t), Freeze: true, Env: env})
	return s
}

// live sends heartbeats and lets three jobs of each connection work, one after the
// other, at different times.
func (s *readOnceStack) live(t *testing.T, lasts time.Duration) {
	end := time.Now().Add(lasts)
	var running sync.WaitGroup
	for name := range s.connections {
		for job := range 3 {
			running.Go(func() {
				time.Sleep(time.Duration(job) * shortUse / 3)
				for time.Until(end) > shortUse {
					s.work(t, name)
				}
			})
		}
	}
	latest := time.Duration(0)
	for began := time.Now(); began.Before(end); began = time.Now() {
		if result, err := s.Invoke(t.Context(), []byte(`{}`)); err != nil || result.ErrorType != "" {
			t.Errorf("a heartbeat: %v, %s", err, result.ErrorMessage)
		}
		time.Sleep(shortHeartbeat - time.Since(began))
		latest = max(latest, time.Since(began)-shortHeartbeat)
	}
	running.Wait()
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	s.seen.latest = max(s.seen.latest, latest)
	for name, sets := range s.connections {
		s.seen.tokens[sets] += len(s.AWS.SecretVersions(harness.SecretName(name, "token")))
	}
}

// work is one job: it reads the secret once and calls the API until it is done.
func (s *readOnceStack) work(t *testing.T, connection string) {
	token, ok := s.Token(connection)
	if !ok {
		time.Sleep(100 * time.Millisecond)
		return
	}
	refused, early := 0, 0
	for end := time.Now().Add(shortUse); time.Now().Before(end) && refused == 0; time.Sleep(time.Second) {
		refused += s.call(t, token.AccessToken)
		if refused > 0 && time.Now().Before(token.ValidUntil) {
			early++
		}
	}
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	s.seen.early += early
	s.seen.jobs[s.connections[connection]]++
	s.seen.refused[s.connections[connection]] += refused
}

// call calls the API once and returns 1 where the token is refused.
func (s *readOnceStack) call(t *testing.T, token string) int {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.api+"/api/whoami", nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = response.Body.Close()
	if response.StatusCode == http.StatusUnauthorized {
		return 1
	}
	return 0
}
