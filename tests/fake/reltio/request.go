package reltio

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Request is one token request as the server saw it. It holds no secret;
// tokens appear as fingerprints, the first 16 hex digits of their SHA-256.
type Request struct {
	At        time.Time
	GrantType string
	// Status that was answered; 0 when none was (yet).
	Status int
	// Fault of the script that it met, "" for none.
	Fault string

	// PlainBasic: the Authorization header is the client's id and secret as
	// they are, without form-encoding.
	PlainBasic  bool
	ContentType string
	Accept      string
	UserAgent   string
	// Query: the URL carried parameters, where logs would see them.
	Query bool
	// Fields are the names in the form, sorted.
	Fields []string
	Scope  string
	// RefreshToken that was sent, and AccessToken that was issued, whether or
	// not the answer arrived; "" for none.
	RefreshToken, AccessToken string
}

// String is the grant type and the answer's status.
func (r Request) String() string {
	text := fmt.Sprintf("%s → %d", r.GrantType, r.Status)
	if r.Fault != "" {
		text += " (" + r.Fault + ")"
	}
	return text
}

// newRequest reads r's form.
func newRequest(r *http.Request, o Options, now time.Time) *Request {
	// A form that cannot be parsed is one without its fields.
	_ = r.ParseForm()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(o.ClientID+":"+o.ClientSecret))
	return &Request{
		At:           now,
		GrantType:    r.Form.Get("grant_type"),
		PlainBasic:   r.Header.Get("Authorization") == basic,
		ContentType:  r.Header.Get("Content-Type"),
		Accept:       r.Header.Get("Accept"),
		UserAgent:    r.UserAgent(),
		Query:        r.URL.RawQuery != "",
		Fields:       slices.Sorted(maps.Keys(r.PostForm)),
		Scope:        r.Form.Get("scope"),
		RefreshToken: fingerprint(r.Form.Get("refresh_token")),
	}
}

// bearer returns the token of an Authorization header.
func bearer(r *http.Request) (token string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return token, strings.EqualFold(scheme, "Bearer")
}
