package e2e_test

import (
	"testing"
	"time"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/doctor"
	fakereltio "reltio-token-rotator/tests/fake/reltio"
)

func TestCheckOfCredentials(t *testing.T) {
	t.Run("says which grant would be used", func(t *testing.T) {
		for _, c := range []struct {
			fields map[string]string
			says   string
		}{
			{map[string]string{"refresh_token": "r3fr3sh", "username": "user", "password": password}, "refresh_token would be used; if it is rejected, a login follows"},
			{map[string]string{"username": "user", "password": password}, "password would be used: one login"},
			{nil, "client_credentials would be used"},
		} {
			simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
				fields := clientOnly()
				for name, value := range c.fields {
					fields[name] = value
				}
				s.seed("default", fields)
				found := s.check()
				found.wantWrong(nil)
				found.says(doctor.CheckGrant, c.says)
			})
		}
	})
	t.Run("says that they were refused", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			s.Reltio.Script(fakereltio.OAuthError(400, "invalid_grant", ""))
			s.beat().wantFailed("default", rotator.RefreshTokenRejected)
			s.check().wantWrong(map[string]string{"grant": "the token endpoint rejected these credentials at the last try (refresh_token_rejected): the refresh token is rejected; log in again"})
			s.PutCredentials("default", s.credentials())
			s.check().wantWrong(nil)
		})
	})
	t.Run("tells a refresh token's age", func(t *testing.T) {
		simulate(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.seed("default", s.credentials())
			s.beat().want("default", rotator.Refreshed)
			time.Sleep(20 * 24 * time.Hour)
			s.check().says(doctor.CheckRefreshTokenAge, "20 days, it expires on 2000-01-29")
			// The age of the same refresh token does not start again when it is
			// written again.
			s.PutCredentials("default", map[string]string{"client_id": "client", "client_secret": clientSecret, "refresh_token": s.refreshToken("default")})
			time.Sleep(24 * time.Hour)
			s.check().wantWrong(map[string]string{"refresh_token_age": "21 days, it expires on 2000-01-29; log in again and write the new refresh token, or write username and password so that the rotator logs in itself: " + putCommand})
			time.Sleep(7 * 24 * time.Hour)
			s.check().wantWrong(map[string]string{"refresh_token_age": "28 days, and a Reltio refresh token is valid for 28; log in again"})
			s.PutCredentials("default", map[string]string{
				"client_id": "client", "client_secret": clientSecret, "refresh_token": s.refreshToken("default"), "username": "user", "password": password,
			})
			c := s.check()
			c.wantWrong(nil)
			c.says(doctor.CheckRefreshTokenAge, "28 days; when it expires, a login replaces it")
		})
	})
	t.Run("counts what waits pending", func(t *testing.T) {
		simulate(t, fakereltio.Options{RotateRefreshToken: true}, func(t *testing.T, s *fixture) {
			s.seeded("default", s.credentials())
			denied("PutSecretValue", "/credentials", "AccessDeniedException")(s)
			s.beat().wantFailed("default", rotator.CredentialsNotSaved)
			c := s.check() // which leaves the pending refresh token as it is
			c.wantWrong(map[string]string{"credentials_write": "PutSecretValue"})
			c.says(doctor.CheckGrant, "with the pending refresh token")
		})
	})
	t.Run("compares the refresh tokens of two sets", func(t *testing.T) {
		twoSets(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			s.hours(1, func(run) {})
			s.check().wantOnlyWrong(map[string]string{"refresh_token_age": "the refresh tokens expire within seven days of each other (2000-01-29 and 2000-01-29)"})
			time.Sleep(14 * 24 * time.Hour)
			s.Reltio.Revoke(second) // so that a login brings another refresh token
			primary, _ := s.sets()
			s.putTwo(primary, s.credentialsOf(second))
			s.hours(1, func(run) {})
			s.check().wantWrong(nil)
		})
	})
	t.Run("names two sets that are one login", func(t *testing.T) {
		twoSets(t, fakereltio.Options{}, func(t *testing.T, s *fixture) {
			primary, _ := s.sets()
			s.putTwo(primary, primary)
			s.check().wantOnlyWrong(map[string]string{"grant": "alternate: the credentials secret cannot be used: field alternate is the same login as the fields beside it; use another Reltio user"})
		})
	})
	t.Run("names unequal lives of two sets", func(t *testing.T) {
		twoSets(t, fakereltio.Options{Lifetimes: map[string]time.Duration{second: 40 * time.Minute}}, func(t *testing.T, s *fixture) {
			s.hours(1, func(run) {})
			s.check().wantOnlyWrong(map[string]string{
				"token_lifetime":    "the last access tokens of the two credential sets live 59m58s (primary) and 39m59s (alternate)",
				"refresh_token_age": "expire within seven days of each other",
			})
		})
	})
}
