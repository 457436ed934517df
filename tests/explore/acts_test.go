package explore_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"reltio-token-rotator/rotator"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness"
)

// events are the events of an invocation.
var events = map[string]func(*fixture) rotator.Event{
	"":                func(*fixture) rotator.Event { return rotator.Event{} },
	"refresh":         func(*fixture) rotator.Event { return refresh(rotator.Event{}) },
	"force":           func(*fixture) rotator.Event { return refresh(rotator.Event{Force: true}) },
	"force primary":   func(*fixture) rotator.Event { return refresh(rotator.Event{Force: true, Set: rotator.Primary}) },
	"force alternate": func(*fixture) rotator.Event { return refresh(rotator.Event{Force: true, Set: rotator.Alternate}) },
	"report": func(f *fixture) rotator.Event {
		return refresh(rotator.Event{DeadToken: f.state().Published.Fingerprint, Connections: []string{connection}})
	},
}

func refresh(e rotator.Event) rotator.Event {
	e.Action = rotator.ActionRefresh
	return e
}

// acts are things that happen just before a call.
var acts = map[string]func(*fixture){
	"new credentials": func(f *fixture) {
		document := f.document()
		if document["refresh_token"] != nil {
			f.logIn(document)
		}
		f.changedCredentials()
		f.putDocument(document)
	},
	"a new refresh token": func(f *fixture) {
		if document := f.document(); document["refresh_token"] != nil {
			f.logIn(document)
			f.changedCredentials()
			f.put(document)
		}
	},
	"the last refresh token again": func(f *fixture) {
		if document := f.document(); f.logins > 0 && document["refresh_token"] != nil {
			f.give(document)
			f.changedCredentials()
			f.put(document)
		}
	},
	"edit another field": func(f *fixture) { f.putDocument(f.document()) },
	"edit the first document": func(f *fixture) {
		f.savedOld = true
		if f.document()["alternate"] != nil && f.opened["alternate"] == nil {
			f.forget()
		}
		if f.opensAgain() || !maps.Equal(withoutTokens(f.document()), withoutTokens(f.opened)) {
			f.changedCredentials()
		}
		f.putDocument(maps.Clone(f.opened))
	},
	"add a login": func(f *fixture) {
		document := f.document()
		if set := f.setOf(document, user); set["refresh_token"] != nil {
			set["username"], set["password"] = user, passwordOf(user)
		}
		f.changedCredentials()
		f.putDocument(document)
	},
	"remove the alternate set": func(f *fixture) {
		document := f.document()
		if document["alternate"] != nil {
			f.forget()
			delete(document, "alternate")
			f.changedCredentials()
			f.putDocument(document)
		}
	},
	"add an alternate set": func(f *fixture) {
		document := f.document()
		if document["alternate"] == nil {
			document["alternate"] = f.set(other, "client-2")
			f.changedCredentials()
			f.putDocument(document)
		}
	},
	"exchange the sets": func(f *fixture) {
		document := f.document()
		if alternate, ok := document["alternate"].(map[string]any); ok {
			delete(document, "alternate")
			note := document["note"]
			delete(document, "note")
			alternate = maps.Clone(alternate)
			alternate["alternate"], alternate["note"] = document, note
			f.changedCredentials()
			f.putDocument(alternate)
		}
	},
	"delete the state": func(f *fixture) {
		f.lostState()
		f.h.AWS.DeleteParameter(harness.ParameterName(connection, "state"))
	},
	"reset the state": func(f *fixture) {
		f.lostState()
		f.h.AWS.PutParameter(harness.ParameterName(connection, "state"), "{}")
	},
	"recreate the connection": func(f *fixture) {
		_, open := f.lease()
		f.mu.Lock()
		f.leaseDeleted, f.recreatedAt = f.leaseDeleted || open || f.active > 0, time.Now()
		f.mu.Unlock()
		f.lostState()
		for _, kind := range []string{"state", "lease"} {
			f.h.AWS.PutParameter(harness.ParameterName(connection, kind), "{}")
		}
	},
	"delete the lease": func(f *fixture) {
		f.leaseDeleted = true
		f.h.AWS.DeleteParameter(harness.ParameterName(connection, "lease"))
	},
	"a longer window": func(f *fixture) {
		f.config["refresh_before_seconds"] = 1200
		f.putConfig()
	},
	"disable": func(f *fixture) {
		f.config["enabled"] = false
		f.putConfig()
	},
	"enable": func(f *fixture) {
		f.config["enabled"] = true
		f.putConfig()
	},
	"the clock steps forward": func(f *fixture) { f.stepClock(clockStep) },
	"the clock steps back":    func(f *fixture) { f.stepClock(-clockStep) },
	"the password changes": func(f *fixture) {
		f.passwordChanged = true
		f.h.Reltio.SetOptions(func(o *fakereltio.Options) { o.Password = "another password" })
	},
	"the refresh tokens expire": func(f *fixture) { f.h.Reltio.ExpireRefreshTokens() },
	// Another invocation runs to its end before the call, or at the same time.
	"overtake": func(f *fixture) { f.finish(f.launch(-1, rotator.Event{})) },
	"beside":   func(f *fixture) { f.launch(-1, rotator.Event{}) },
	"overtake, forced": func(f *fixture) {
		f.finish(f.launch(-1, refresh(rotator.Event{Force: true})))
	},
	"beside, forced": func(f *fixture) { f.launch(-1, refresh(rotator.Event{Force: true})) },
	"beside, report": func(f *fixture) { f.launch(-1, events["report"](f)) },
}

var actNames = slices.Sorted(maps.Keys(acts))

// login is the refresh token of the last login by an operator.
func (f *fixture) login() string { return fmt.Sprintf("login-%d", f.logins) }

// logIn writes the refresh token of a new login into a document.
func (f *fixture) logIn(document map[string]any) {
	f.logins++
	f.h.Reltio.AddRefreshToken(f.login())
	f.give(document)
}

// give writes the refresh token of the last login into a document, if the user has a set
// there.
func (f *fixture) give(document map[string]any) {
	if set := f.setOf(document, user); set != nil {
		set["refresh_token"] = f.login()
		f.gave(user, f.login())
	}
}

// setOf returns the set of a user in a document: the one with that username, or the
// one whose refresh token is the user's. It returns nil if the only set is the other user's.
func (f *fixture) setOf(document map[string]any, user string) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	alternate, ok := document["alternate"].(map[string]any)
	if ok && (alternate["username"] == user || f.refreshTokenOf(user, alternate) != "") {
		return alternate
	}
	if name := document["username"]; name != nil && name != user || !ok && f.refreshTokenOf(other, document) != "" {
		return nil
	}
	return document
}

// clockStep is by how much the function's clock can step. The simulated clock cannot
// step. Instead, the times in the state are changed in the other direction.
const clockStep = 45 * time.Second

var quotedTime = regexp.MustCompile(`"[0-9-]{10}T[0-9:]{8}Z"`)

func (f *fixture) stepClock(by time.Duration) {
	f.mu.Lock()
	f.stepped += clockStep
	f.mu.Unlock()
	name := harness.ParameterName(connection, "state")
	document, _, ok := f.h.AWS.Parameter(name)
	if !ok {
		return
	}
	f.h.AWS.PutParameter(name, quotedTime.ReplaceAllStringFunc(document, func(quoted string) string {
		at, err := time.Parse(`"`+time.RFC3339+`"`, quoted)
		if err != nil {
			return quoted
		}
		return at.Add(-by).Format(`"` + time.RFC3339 + `"`)
	}))
}

func (f *fixture) finish(v *invocation) { <-v.ended }

// actAt performs the acts of a place.
func (f *fixture) actAt(v *invocation, at place) {
	for _, a := range f.s.acts {
		if a.place != at {
			continue
		}
		do, drawn := acts[a.do]
		if !drawn {
			do = rareActs[a.do]
		}
		do(f)
		f.mu.Lock()
		f.lastTrouble = later(f.lastTrouble, time.Now())
		f.mu.Unlock()
	}
	if v != nil {
		v.stopIfDead()
	}
}
