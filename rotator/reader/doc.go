// Package reader gives a job the access token that the rotator publishes. It needs
// the Secrets Manager client and no other package of this module: you can copy the
// folder into another module.
//
// Create one Source in each process:
//
//	source := reader.New(reader.Config{
//		Secrets:  secretsmanager.NewFromConfig(cfg),
//		SecretID: "reltio-token-rotator/STACK/default/token",
//	})
//	client := &http.Client{Transport: source.Transport(nil)}
//
// A refresh ends the old token at once. So on a 401 the client reads the secret
// again, waits up to 5 s until the new token is published, and repeats the request
// once. It caches a token for five minutes at most, and past its valid_until for
// ten seconds.
// Goroutines that need the token at the same time share one read. The token is not
// sent to another host that a redirect names. docs/reading-the-token.md lists all
// rules under "What a reader does".
//
// # Reporting a token that expired early
//
// Another login of the same Reltio user can end a token early. With Config.Report
// the client reports the token and the function replaces it in seconds; without
// it jobs fail until the next refresh. The job's role needs the stack's
// ReporterPolicyArn, which allows the function's alias report, and Report is these
// lines, with the client of github.com/aws/aws-sdk-go-v2/service/lambda and the
// output FunctionName:
//
//	Report: func(ctx context.Context, event []byte) error {
//		_, err := functions.Invoke(ctx, &lambda.InvokeInput{
//			FunctionName: &name, Qualifier: aws.String("report"), Payload: event,
//		})
//		return err
//	},
//
// The event holds the token's fingerprint, never the token. The function ignores a
// report in the first minute after a refresh. A token that was ended in that minute
// is replaced when it is reported again, a minute later.
//
// # golang.org/x/oauth2
//
// For a library that needs an oauth2.TokenSource:
//
//	type oauth2Source struct{ *reader.Source }
//
//	func (s oauth2Source) Token() (*oauth2.Token, error) {
//		t, err := s.Source.Token(context.Background())
//		return &oauth2.Token{AccessToken: t.Reveal(), Expiry: t.ReadAgain}, err
//	}
//
// Expiry is ReadAgain and not ExpiresAt, because oauth2 keeps a token until its
// Expiry. oauth2 does not handle a 401. If the library lets you choose its
// transport, choose [Source.Transport].
package reader
