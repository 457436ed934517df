package contract_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
)

// account has one case's clients of the SDK, and names that no other case uses.
type account struct {
	ctx     context.Context
	secrets *secretsmanager.Client
	ssm     *ssm.Client
	prefix  string // without a slash at either end
}

func newAccount(ctx context.Context, url string) account {
	who := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
	})
	return account{
		ctx: ctx,
		secrets: secretsmanager.New(secretsmanager.Options{
			BaseEndpoint: &url, Region: "us-east-1", Credentials: who, Retryer: aws.NopRetryer{}, HTTPClient: wholeBodies{},
		}),
		ssm: ssm.New(ssm.Options{
			BaseEndpoint: &url, Region: "us-east-1", Credentials: who, Retryer: aws.NopRetryer{}, HTTPClient: wholeBodies{},
		}),
		prefix: "contract/" + rand.Text(),
	}
}

// wholeBodies sends each request body in one piece. The SDK's own wrapping makes
// net/http send it apart from the headers, and the SDK closes it as soon as an
// answer begins: an answer that comes at once, as MiniStack's, can find the
// sender still at work, which then closes the connection under the answer ("use
// of closed network connection"). The SDK's retries hide that, but here they
// would write twice.
type wholeBodies struct{}

func (wholeBodies) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	whole := r.Clone(r.Context())
	whole.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultClient.Do(whole)
}

// id is the version id that the cases call by one letter.
func id(letter string) string { return strings.Repeat(letter, 32) }

func letterOf(id string) string {
	if strings.Trim(id, id[:1]) == "" {
		return id[:1]
	}
	return "?"
}

// code is what a call ended with: "ok" or the error code that the SDK saw.
func code(err error) string {
	if err == nil {
		return "ok"
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return err.Error()
}

// The methods below are one call each and return what was seen in words.

func (a account) secret() *string { return aws.String(a.prefix + "/secret") }

func (a account) create() string {
	_, err := a.secrets.CreateSecret(a.ctx, &secretsmanager.CreateSecretInput{Name: a.secret()})
	return code(err)
}

func (a account) put(letter, value string, stages ...string) string {
	_, err := a.secrets.PutSecretValue(a.ctx, &secretsmanager.PutSecretValueInput{
		SecretId: a.secret(), ClientRequestToken: aws.String(id(letter)), SecretString: &value, VersionStages: stages,
	})
	return code(err)
}

func (a account) get(fixture string) string {
	out, err := a.secrets.GetSecretValue(a.ctx, &secretsmanager.GetSecretValueInput{
		SecretId: a.secret(), VersionStage: aws.String(fixture),
	})
	if err != nil {
		return code(err)
	}
	return letterOf(*out.VersionId) + "=" + aws.ToString(out.SecretString)
}

func (a account) move(fixture, from, to string) string {
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: a.secret(), VersionStage: &fixture}
	if from != "" {
		in.RemoveFromVersionId = aws.String(id(from))
	}
	if to != "" {
		in.MoveToVersionId = aws.String(id(to))
	}
	_, err := a.secrets.UpdateSecretVersionStage(a.ctx, in)
	return code(err)
}

// labels shows the labelled versions, such as "a:AWSPREVIOUS b:AWSCURRENT".
func (a account) labels() string { return a.describe(false) }

// describe does the same. If bare is set, it also shows versions without labels.
func (a account) describe(bare bool) string {
	out, err := a.secrets.DescribeSecret(a.ctx, &secretsmanager.DescribeSecretInput{SecretId: a.secret()})
	if err != nil {
		return code(err)
	}
	var seen []string
	for id, labels := range out.VersionIdsToStages {
		stages := slices.Sorted(slices.Values(labels))
		if len(stages) == 0 && !bare {
			continue
		}
		seen = append(seen, letterOf(id)+":"+strings.Join(stages, "+"))
	}
	slices.Sort(seen)
	return strings.Join(seen, " ")
}

func (a account) name(last string) *string { return aws.String("/" + a.prefix + "/" + last) }

func (a account) write(last, value string, options ...func(*ssm.PutParameterInput)) string {
	in := &ssm.PutParameterInput{
		Name: a.name(last), Value: &value, Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(true),
	}
	for _, option := range options {
		option(in)
	}
	out, err := a.ssm.PutParameter(a.ctx, in)
	if err != nil {
		return code(err)
	}
	return fmt.Sprint(out.Version)
}

func noOverwrite(in *ssm.PutParameterInput) { in.Overwrite = nil }
func secure(in *ssm.PutParameterInput)      { in.Type = ssmtypes.ParameterTypeSecureString }
func untyped(in *ssm.PutParameterInput)     { in.Type = "" }

func (a account) read(last string, decrypted bool) string {
	out, err := a.ssm.GetParameter(a.ctx, &ssm.GetParameterInput{Name: a.name(last), WithDecryption: &decrypted})
	if err != nil {
		return code(err)
	}
	return fmt.Sprintf("%d=%s", out.Parameter.Version, aws.ToString(out.Parameter.Value))
}

func (a account) drop(last string) string {
	_, err := a.ssm.DeleteParameter(a.ctx, &ssm.DeleteParameterInput{Name: a.name(last)})
	return code(err)
}

// list shows the names on each page of a listing, relative to the path, such as
// "[a b] [c]". It gives up after 20 pages.
func (a account) list(in *ssm.GetParametersByPathInput) string {
	in.Path = aws.String("/" + a.prefix)
	var pages []string
	for range 20 {
		out, err := a.ssm.GetParametersByPath(a.ctx, in)
		if err != nil {
			return code(err)
		}
		var names []string
		for _, p := range out.Parameters {
			names = append(names, strings.TrimPrefix(*p.Name, *in.Path+"/"))
		}
		slices.Sort(names)
		pages = append(pages, "["+strings.Join(names, " ")+"]")
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return strings.Join(pages, " ")
		}
	}
	return "no end"
}

// seen joins what several calls showed.
func seen(words ...string) string { return strings.Join(words, ", ") }

// putNumbered writes one of many versions.
func (a account) putNumbered(n int) string {
	_, err := a.secrets.PutSecretValue(a.ctx, &secretsmanager.PutSecretValueInput{
		SecretId: a.secret(), ClientRequestToken: aws.String(fmt.Sprintf("%032d", n)), SecretString: aws.String(fmt.Sprint(n)),
	})
	return code(err)
}
