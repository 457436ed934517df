package reltio

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Fault is a failure of one token request. The zero Fault is none.
type Fault struct {
	// Name is the fault's name in Requests. If it is empty, it is made from the
	// other fields.
	Name string

	// Unreachable refuses the connection, so that no request is sent. Only
	// fake.Transport can do so; over TCP the connection is cut.
	Unreachable bool
	// Delay passes before the request is executed or refused. It is executed
	// also when the client has gone away by then.
	Delay time.Duration
	// Executed executes the request although the fault keeps the answer to it
	// from the client. Without it, Status, Hang and Cut refuse the request.
	Executed bool
	// AnswerDelay passes between that and the answer.
	AnswerDelay time.Duration
	// Late is how long after its answer the request is executed, as by a server
	// behind a gateway that stopped waiting. The client does not learn of it.
	Late time.Duration

	// Hang then sends no answer until the client goes away.
	Hang bool
	// Cut closes the connection: before any answer, or after CutAfter bytes of
	// the answer's body.
	Cut      bool
	CutAfter int

	// Status, Header and Body are the answer. Without a Status it is the real
	// one.
	Status int
	Header http.Header
	Body   string
	// Edit changes the body of a real answer that has a token in it.
	Edit func(body string) string
}

// executes reports whether the request is executed before its answer.
func (f Fault) executes() bool {
	return f.Executed || f.Late == 0 && f.Status == 0 && !f.Hang && !f.Cut
}

func (f Fault) name() string {
	switch {
	case f.Name != "":
		return f.Name
	case f.Unreachable:
		return "unreachable"
	case f.Hang:
		return "hang"
	case f.Cut:
		return "cut"
	case f.Status != 0:
		return fmt.Sprintf("status %d", f.Status)
	case f.Delay > 0 || f.AnswerDelay > 0:
		return "slow"
	}
	return ""
}

// Pass is no fault. It lets one request of a script succeed.
func Pass() Fault { return Fault{} }

// Status answers with a status and a short body that is not an OAuth error.
func Status(status int) Fault {
	return Fault{Status: status, Header: textType("text/plain"), Body: http.StatusText(status)}
}

// StatusRetryAfter is Status with a Retry-After header.
func StatusRetryAfter(status int, retryAfter string) Fault {
	fault := Status(status)
	fault.Header.Set("Retry-After", retryAfter)
	return fault
}

// Throttled is a 429, with Retry-After unless that is empty.
func Throttled(retryAfter string) Fault {
	r := tooMany(retryAfter)
	return Fault{Name: "throttled", Status: r.status, Header: r.header, Body: r.body}
}

// OAuthError is an error of the OAuth library, with its challenge if it is a 401.
func OAuthError(status int, code, description string) Fault {
	r := oauthError(status, code, description, false)
	return Fault{Name: code, Status: r.status, Header: r.header, Body: r.body}
}

// FirewallPage is a web firewall's 403 with HTML.
func FirewallPage() Fault {
	return Fault{
		Name: "firewall page", Status: http.StatusForbidden, Header: textType("text/html"),
		Body: "<html><head><title>403 Forbidden</title></head><body>Request blocked.</body></html>",
	}
}

// Redirect redirects to another host, which must not get the credentials.
func Redirect(status int, location string) Fault {
	return Fault{Name: "redirect", Status: status, Header: http.Header{"Location": {location}}}
}

// NotJSON is a 200 with a page.
func NotJSON() Fault {
	return Fault{
		Name: "not JSON", Status: http.StatusOK, Header: textType("text/html"),
		Body: "<html><body>Please sign in.</body></html>",
	}
}

// Huge is a 200 of 128 KiB whose first bytes are a valid answer. A reader that stops
// early must not accept it.
func Huge() Fault {
	body := `{"access_token":"huge","token_type":"bearer","expires_in":3599,"scope":"read write"}`
	return jsonFault("huge", body+strings.Repeat(" ", 128<<10-len(body)))
}

// Empty is a 200 without a body.
func Empty() Fault { return jsonFault("empty", "") }

// NoAccessToken is a 200 that looks like an answer but has no token in it.
func NoAccessToken() Fault {
	return jsonFault("no access token", `{"token_type":"bearer","expires_in":3599,"scope":"read write"}`)
}

// ErrorInside is a 200 that holds an OAuth error.
func ErrorInside() Fault {
	return jsonFault("error inside", `{"error":"invalid_grant","error_description":"Invalid refresh token"}`)
}

// Unreachable refuses the connection: nothing is sent.
func Unreachable() Fault { return Fault{Name: "unreachable", Unreachable: true} }

// NotExecuted cuts the connection before anything happened.
func NotExecuted() Fault { return Fault{Name: "not executed", Cut: true} }

// AnswerLost executes the request and cuts the connection before the answer.
func AnswerLost() Fault { return Fault{Name: "answer lost", Executed: true, Cut: true} }

// CutMidBody executes the request and cuts the connection after n bytes of the
// answer's body.
func CutMidBody(n int) Fault {
	return Fault{Name: "cut mid-body", Executed: true, Cut: true, CutAfter: n}
}

// ExecutedThenStatus executes the request and answers with a status, as a
// gateway does that loses the server's answer.
func ExecutedThenStatus(status int) Fault {
	fault := Status(status)
	fault.Name, fault.Executed = fmt.Sprintf("executed, then status %d", status), true
	return fault
}

// StatusThenExecuted answers with a status and executes the request so long
// after that answer, as a server does behind a gateway that stopped waiting.
func StatusThenExecuted(status int, late time.Duration) Fault {
	fault := Status(status)
	fault.Name, fault.Late = fmt.Sprintf("status %d, executed after %v", status, late), late
	return fault
}

// Hang accepts the request and never answers.
func Hang() Fault { return Fault{Name: "hang", Hang: true} }

// Slow executes the request after d, and answers then.
func Slow(d time.Duration) Fault { return Fault{Name: "slow", Delay: d} }

// SlowAnswer executes the request at once and answers after d.
func SlowAnswer(d time.Duration) Fault { return Fault{Name: "slow answer", AnswerDelay: d} }

// OddAnswer executes the request and changes fields of the answer: nil removes
// one. A rotated refresh token is in it unless the fields say otherwise.
func OddAnswer(name string, fields map[string]any) Fault {
	return Fault{Name: name, Edit: func(body string) string {
		var answer map[string]any
		decoder := json.NewDecoder(strings.NewReader(body))
		decoder.UseNumber()
		if err := decoder.Decode(&answer); err != nil {
			panic("fake/reltio: " + err.Error()) // the server's own answer
		}
		for field, value := range fields {
			if answer[field] = value; value == nil {
				delete(answer, field)
			}
		}
		edited, _ := json.Marshal(answer)
		return string(edited)
	}}
}

// ByteOrderMark executes the request and puts a byte order mark before the
// answer's JSON.
func ByteOrderMark() Fault {
	return Fault{Name: "byte order mark", Edit: func(body string) string { return "\ufeff" + body }}
}

func jsonFault(name, body string) Fault {
	return Fault{Name: name, Status: http.StatusOK, Header: textType("application/json"), Body: body}
}

func textType(media string) http.Header {
	return http.Header{"Content-Type": {media + ";charset=UTF-8"}}
}
