// Package reltio is a fake for Reltio's token endpoint, for tests and local
// runs.
//
// It answers as the Spring Security OAuth library that Reltio's service appears
// to use was seen to answer (versions 2.3.8, 2.4.1 and 2.5.2): a refresh ends
// the old access token at once, a login while a token lives gives that token
// again, a refresh token's clock is not extended by use, an expired refresh
// token ends the live access token when it is tried, and the 401 for a wrong
// client is not an OAuth error. [Options] switches between what versions and
// tenants do differently.
//
// A [Server] is an http.Handler with two paths:
//
//	POST /oauth/token   the token endpoint
//	GET  /api/whoami    a protected resource: 200 for a live Bearer token, else 401
//
// The usual path, over TCP or in a testing/synctest bubble:
//
//	server := reltio.New(reltio.Options{Lifetime: 12 * time.Second})
//	_, refresh := server.Login()                  // seed, as an operator would
//	web := httptest.NewServer(server)             // or fake.Transport
//	server.Script(reltio.Throttled("2"), reltio.Pass(), reltio.AnswerLost())
//	...
//	server.Requests()                             // what was asked and answered
//
// Each token request takes the next fault of the script; when the script is
// empty, it asks the function of SetFaults, and without one it succeeds.
// What is true at the server, whatever the client was told, is answered by
// AccessToken, Ended, RefreshTokens, WrongPasswords and AnswersLost.
//
// In a bubble, make the Server inside the bubble. Over TCP, call Close before
// the HTTP server's own, so that no scripted wait holds it up.
//
// Caveats. A JWT here is a token of that shape that nothing but its expiry or
// EndAccessTokens ends; logins still give the live one again. Nothing is
// checked by signature.
package reltio
