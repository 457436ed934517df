package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/tests/fake/lambda"
)

// beat is a heartbeat and what the function decided in it.
type beat struct {
	number int
	// report is all that the function reported, and result the line of the
	// connection default; without one, failure says what the function failed with.
	report  rotator.Report
	result  rotator.Result
	failure string
	// crashed: the function's process ended without an answer.
	crashed bool
	// token is the published token after it, if there is one.
	token *publishedToken
	// grantType is the one that obtained it.
	grantType rotator.GrantType
	awsCalls  int
}

// failed reports whether the invocation was an error, as CloudWatch would count it.
func (b beat) failed() bool { return b.failure != "" }

// note is something that the function logged for the operator.
type note struct {
	level, text string
}

// schedule sends heartbeats, each on time even where one takes long, as
// EventBridge does.
type schedule struct {
	fixture *fixture

	mu sync.Mutex
	// answered token requests, as the function's metrics say
	answered int
	reports  map[string]rotator.Report // of failed runs, by request id
	notes    func(note)
}

func newSchedule(notes func(note)) *schedule {
	return &schedule{notes: notes, reports: map[string]rotator.Report{}}
}

// tokenRequests says how many there were, in words.
func (s *schedule) tokenRequests() string {
	if requests, known := s.fixture.tokenRequests(); known {
		return strconv.Itoa(requests)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%d answered", s.answered)
}

// run sends heartbeats until ctx ends, then waits for those under way: what the
// token endpoint has granted must be stored.
func (s *schedule) run(ctx context.Context, tell func(beat)) {
	var beats sync.WaitGroup
	defer beats.Wait()
	ticker := time.NewTicker(s.fixture.settings.heartbeat)
	defer ticker.Stop()
	for number := 1; ; number++ {
		beats.Go(func() { tell(s.send(context.WithoutCancel(ctx), number)) })
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *schedule) send(ctx context.Context, number int) beat {
	invoked, err := s.fixture.function.Invoke(ctx, []byte(`{}`))
	b := beat{number: number, awsCalls: s.fixture.takeCalls(invoked.TraceID)}

	s.mu.Lock()
	report, failed := s.reports[invoked.RequestID]
	delete(s.reports, invoked.RequestID)
	s.mu.Unlock()

	switch {
	case err != nil:
		b.failure = err.Error()
	case invoked.ErrorType != "":
		b.failure = invoked.ErrorType + ": " + invoked.ErrorMessage
		b.crashed = invoked.ErrorType == lambda.ExitError
		if !failed {
			return b
		}
	default:
		if err := json.Unmarshal(invoked.Payload, &report); err != nil {
			b.failure = "the report cannot be read"
		}
	}
	b.report = report
	b.result = rotator.Result{Outcome: rotator.Failed, Error: report.Error, Message: report.Message}
	for _, result := range report.Connections {
		if result.Name == connection {
			b.result = result
		}
	}
	if token, ok := s.fixture.published(connection); ok {
		b.token, b.grantType = &token, s.fixture.grantType(b.result.Set)
	}
	return b
}

// output takes a line of the function's log. A failed run returns no report,
// but its log line holds one.
func (s *schedule) output(line lambda.Line) {
	var logged struct {
		Level     string         `json:"level"`
		Message   string         `json:"msg"`
		RequestID string         `json:"requestId"`
		Report    rotator.Report `json:"report"`
		// of the metrics' line
		GrantMilliseconds []float64 `json:"GrantMilliseconds"`
	}
	if json.Unmarshal([]byte(line.Text), &logged) != nil {
		if strings.HasPrefix(line.Text, "panic: ") || strings.HasPrefix(line.Text, "fatal error: ") {
			s.notes(note{level: "ERROR", text: line.Text})
		}
		return
	}
	s.mu.Lock()
	s.answered += len(logged.GrantMilliseconds)
	s.mu.Unlock()
	if logged.Message == "run" {
		s.mu.Lock()
		s.reports[logged.RequestID] = logged.Report
		s.mu.Unlock()
		return
	}
	if logged.Level == "WARN" || logged.Level == "ERROR" {
		s.notes(note{level: logged.Level, text: logged.Message})
	}
}
