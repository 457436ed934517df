// Package reader gives a job the access token that the rotator keeps fresh. It
// needs Secrets Manager's client and nothing else of this module: the folder
// can be copied into another one as it is.
//
// The usual path, once a process:
//
//	source := reader.New(reader.Config{
//		Secrets:  secretsmanager.NewFromConfig(cfg),
//		SecretID: "reltio-token-rotator/STACK/default/token",
//	})
//	client := &http.Client{Transport: source.Transport(nil)}
//
// What that client does that a plain header does not: a refresh ends the old
// token at once, so on a 401 it reads the secret again, waits out the instant
// between the grant and the write of the new token (5 s at most), and repeats
// the request once. A token is cached for five minutes at most and never past
// its end; many goroutines share one read; a redirect to another host does not
// take the token along.
//
// # Reporting a token that was ended early
//
// Another login of the same Reltio user can end a token before its time. With
// Config.Report the function is told and replaces it in seconds, where jobs
// would otherwise fail until the next refresh. The job's role needs the stack's
// ReporterPolicyArn, and Report these three lines, with the client of
// github.com/aws/aws-sdk-go-v2/service/lambda and the output FunctionName:
//
//	Report: func(ctx context.Context, event []byte) error {
//		_, err := functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, Payload: event})
//		return err
//	},
//
// The event holds the token's fingerprint, never the token. The function counts
// a report only when its last refresh is over a minute old; a token that is
// ended sooner is replaced when it is reported again, a minute later.
//
// # golang.org/x/oauth2
//
// For a library that wants an oauth2.TokenSource:
//
//	type oauth2Source struct{ *reader.Source }
//
//	func (s oauth2Source) Token() (*oauth2.Token, error) {
//		t, err := s.Source.Token(context.Background())
//		return &oauth2.Token{AccessToken: t.Reveal(), Expiry: t.ReadAgain}, err
//	}
//
// ReadAgain and not ExpiresAt, because oauth2 keeps a token until its Expiry.
// oauth2 does not know what to do about a 401: put [Source.Transport] under it
// where it can be chosen.
package reader
