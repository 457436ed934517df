package aws

import (
	"slices"
	"strings"
	"time"
)

// Listed is one parameter of a direct listing.
type Listed struct {
	Name, Value string
	Version     int64
}

// List is a recursive, decrypted GetParametersByPath of all pages without HTTP,
// JSON and the SDK, which take most of the time of a simulation of months. It
// counts the calls and takes their latency. It is not ok where a fault, a hook or
// an option would change the answer: then make the call. The call asks the function
// of SetFaults again, so it must answer by the time and not by the number of calls.
func (s *Server) List(path string) (found []Listed, ok bool) {
	const operation = "GetParametersByPath"
	s.mu.Lock()
	choose, plain := s.choose, s.hook == nil && !s.options.EmptyPages && !s.options.StaleReads
	plain = plain && !slices.ContainsFunc(s.faults, func(f *Fault) bool { return f.matches(operation, path) })
	names := s.below(path, true)
	s.mu.Unlock()
	if !plain {
		return nil, false
	}
	for first := true; first || len(names) > 0; first = false {
		fault := Fault{When: Slow}
		if choose != nil {
			if chosen, is := choose(Call{operation, path}); is {
				fault = chosen
			}
		}
		if fault.When != Slow || fault.Hang || fault.Lag > 0 {
			return nil, false
		}
		time.Sleep(s.options.Latency + fault.Latency)
		page := names[:min(10, len(names))]
		names = names[len(page):]
		found = append(found, s.page(page)...)
	}
	return found, true
}

func (s *Server) page(names []string) (found []Listed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls["GetParametersByPath"]++
	for _, name := range names {
		if p := s.parameters[name]; p != nil {
			if r, seen := p.read(); seen {
				found = append(found, Listed{name, r.value, r.number})
			}
		}
	}
	return found
}

// matches reports whether an injected fault matches a call.
func (f *Fault) matches(operation, name string) bool {
	return f.Times != 0 && (f.Operation == "" || f.Operation == operation) && strings.HasSuffix(name, f.Name)
}
