package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"reltio-token-rotator/rotator/secret"
)

// api is what a job calls: Secrets Manager for the token, and the API that takes
// it.
type api struct {
	secrets *secretsmanager.Client
	// url takes a live token; without one a token counts as live until it has
	// expired.
	url    string
	client *http.Client
}

func newAPI(st *fixture) *api {
	return &api{
		secrets: secretsmanager.New(secretsmanager.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(st.awsURL), RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider("job", "job", ""),
		}),
		url: st.apiURL,
		client: &http.Client{
			Timeout: 20 * time.Second,
			// A token goes where the operator said, and nowhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// read reads the token secret of a connection. found is false where nothing has
// been published yet.
func (a *api) read(ctx context.Context, connection string) (token publishedToken, found bool, err error) {
	name := secretName(connection, "token")
	out, err := a.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
	if _, empty := errors.AsType[*types.ResourceNotFoundException](err); empty {
		return publishedToken{}, false, nil
	}
	if err != nil {
		return publishedToken{}, false, fmt.Errorf("read the token secret: %w", err)
	}
	token, err = readToken(aws.ToString(out.SecretString))
	return token, err == nil, err
}

// takes reports whether the API takes the token: 401 is no, and any other answer
// below 500 took it, whatever it allows.
func (a *api) takes(ctx context.Context, token publishedToken) (bool, error) {
	if a.url == "" {
		return time.Now().Before(token.ExpiresAt), nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Authorization", "Bearer "+token.AccessToken)
	response, err := a.client.Do(request)
	if err != nil {
		return false, fmt.Errorf("call the API: %w", err)
	}
	_ = response.Body.Close()
	switch {
	case response.StatusCode == http.StatusUnauthorized:
		return false, nil
	case response.StatusCode >= 300 && response.StatusCode < 400 || response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests:
		return false, fmt.Errorf("the API answered %s", response.Status)
	}
	return true, nil
}

// rereadPause is how long a job waits before it reads a refused token again.
const rereadPause = 50 * time.Millisecond

// callWithSecret reads the secret and calls the API with its token. If the token is
// refused and refused returns true, it does so again after a pause. It returns the
// last token, and whether the API took it.
func (a *api) callWithSecret(ctx context.Context, refused func(publishedToken) (again bool)) (publishedToken, bool, error) {
	for {
		token, found, err := a.read(ctx, connection)
		if err != nil || !found {
			return token, false, err
		}
		live, err := a.takes(ctx, token)
		if live || err != nil || !refused(token) {
			return token, live, err
		}
		if err := sleep(ctx, rereadPause); err != nil {
			return token, false, err
		}
	}
}

func fingerprint(token publishedToken) string { return secret.New(token.AccessToken).Fingerprint() }
