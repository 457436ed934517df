package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"reltio-token-rotator/rotator/secret"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// rereadPause is how long the job waits before it reads a refused token again.
const rereadPause = 50 * time.Millisecond

// job does what a user's job does: it reads the token secret, calls a protected
// resource, and where the token is refused reads the secret once more.
type job struct {
	secrets *secretsmanager.Client
	// resourceURL takes a live token; without one a token counts as alive until
	// it has expired.
	resourceURL string
	reread      time.Duration
}

func newJob(st *fixture) *job {
	return &job{
		secrets: secretsmanager.New(secretsmanager.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(st.awsURL), RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider("job", "job", ""),
		}),
		resourceURL: st.resourceURL, reread: st.settings.reread,
	}
}

// work is one time that the job needed a token.
type work struct {
	// fingerprint is that of the token which it read last.
	fingerprint string
	// live and dead are the tokens seen: the secret's reads, by their outcome.
	live, dead int
	// refusedFor is how long a refused token was read before a live one was.
	refusedFor time.Duration
	// stranded: re-reading did not help.
	stranded bool
	// err: the secret or the resource could not be asked at all.
	err error
}

// do works once. Nothing has been published yet where live and dead are 0.
func (j *job) do(ctx context.Context) work {
	var w work
	var began time.Time
	for {
		token, found, err := j.read(ctx)
		if err != nil || !found {
			w.err = err
			return w
		}
		w.fingerprint = secret.New(token.AccessToken).Fingerprint()
		alive, err := j.use(ctx, token)
		switch {
		case err != nil:
			w.err = err
			return w
		case alive:
			w.live++
			if !began.IsZero() {
				w.refusedFor = time.Since(began)
			}
			return w
		}
		w.dead++
		if began.IsZero() {
			began = time.Now()
		}
		if w.refusedFor = time.Since(began); w.refusedFor >= j.reread {
			w.stranded = true
			return w
		}
		select {
		case <-time.After(rereadPause):
		case <-ctx.Done():
			w.err = ctx.Err()
			return w
		}
	}
}

func (j *job) read(ctx context.Context) (token publishedToken, found bool, err error) {
	secret, err := j.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(tokenSecret)})
	if _, empty := errors.AsType[*types.ResourceNotFoundException](err); empty {
		return publishedToken{}, false, nil
	}
	if err != nil {
		return publishedToken{}, false, fmt.Errorf("read the token secret: %w", err)
	}
	token, err = readToken(aws.ToString(secret.SecretString))
	return token, err == nil, err
}

// use reports whether the token is accepted.
func (j *job) use(ctx context.Context, token publishedToken) (alive bool, err error) {
	if j.resourceURL == "" {
		return time.Now().Before(token.ExpiresAt), nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.resourceURL, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Authorization", "Bearer "+token.AccessToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, fmt.Errorf("call the protected resource: %w", err)
	}
	_ = response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusUnauthorized:
		return false, nil
	}
	return false, fmt.Errorf("the protected resource answered %s", response.Status)
}
