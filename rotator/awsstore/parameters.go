package awsstore

import (
	"context"
	"errors"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// pageSize is the most that GetParametersByPath gives.
const pageSize = 10

// List returns the parameters of every connection, pending refresh tokens decrypted. It
// returns all of them or an error: a part would look like missing connections.
func (s *Store) List(ctx context.Context) ([]rotator.Parameter, error) {
	pages := ssm.NewGetParametersByPathPaginator(s.parameters(), &ssm.GetParametersByPathInput{
		Path:           aws.String(s.parameterPath()),
		Recursive:      aws.Bool(true),
		WithDecryption: aws.Bool(true),
		MaxResults:     aws.Int32(pageSize),
	})
	var found []rotator.Parameter
	// A page may be empty and not the last one; only the token tells.
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, callError("GetParametersByPath", err)
		}
		for _, p := range page.Parameters {
			connection, kind, ok := s.parseParameterName(aws.ToString(p.Name))
			if !ok {
				continue
			}
			found = append(found, rotator.Parameter{
				Connection: connection,
				Kind:       kind,
				Value:      secret.New(aws.ToString(p.Value)),
				Version:    p.Version,
			})
		}
	}
	return found, nil
}

// WaitToWrite returns when the caller may send one PutParameter, or with ctx's
// error. Writes are a little over a third of a second apart, the lowest
// priority first, equals in the order they came. Only this process is counted.
func (s *Store) WaitToWrite(ctx context.Context, priority rotator.Priority) error {
	return s.writes.wait(ctx, priority)
}

// Put writes a String parameter and returns its new version. PutParameter has
// no idempotency token: when an answer is lost and the SDK sends the call
// again, the version counts both writes.
func (s *Store) Put(ctx context.Context, connection string, kind rotator.Kind, value string) (int64, error) {
	out, err := s.parameters().PutParameter(ctx, &ssm.PutParameterInput{
		Name:      aws.String(s.parameterName(connection, kind)),
		Type:      types.ParameterTypeString,
		Value:     aws.String(value),
		Overwrite: aws.Bool(true),
	})
	if err != nil {
		return 0, callError("PutParameter", err)
	}
	return out.Version, nil
}

// At returns the value of one version of a String parameter.
// rotator.ErrNotFound: there is no such parameter or version, or it is one of
// those pruned after 100 later ones.
func (s *Store) At(ctx context.Context, connection string, kind rotator.Kind, version int64) (string, error) {
	name := s.parameterName(connection, kind) + ":" + strconv.FormatInt(version, 10)
	out, err := s.parameters().GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(name)})
	if is[*types.ParameterVersionNotFound](err) || is[*types.ParameterNotFound](err) {
		return "", rotator.ErrNotFound
	}
	if err != nil {
		return "", callError("GetParameter", err)
	}
	if out.Parameter == nil {
		return "", callError("GetParameter", errNoValue)
	}
	return aws.ToString(out.Parameter.Value), nil
}

// PutPending writes the pending refresh token as a SecureString under the account's aws/ssm
// key, which needs no KMS permission. For about 30 s after DeletePending a new
// one may be refused: repeating is the caller's.
func (s *Store) PutPending(ctx context.Context, connection string, document secret.Value) error {
	return s.putSecure(ctx, connection, rotator.KindPending, document.Reveal())
}

func (s *Store) putSecure(ctx context.Context, connection string, kind rotator.Kind, value string) error {
	_, err := s.parameters().PutParameter(ctx, &ssm.PutParameterInput{
		Name:      aws.String(s.parameterName(connection, kind)),
		Type:      types.ParameterTypeSecureString,
		Value:     aws.String(value),
		Overwrite: aws.Bool(true),
	})
	return callError("PutParameter", err)
}

// DeletePending removes the pending refresh token. One that does not exist is no error.
func (s *Store) DeletePending(ctx context.Context, connection string) error {
	return s.deleteParameter(ctx, connection, rotator.KindPending)
}

func (s *Store) deleteParameter(ctx context.Context, connection string, kind rotator.Kind) error {
	_, err := s.parameters().DeleteParameter(ctx, &ssm.DeleteParameterInput{
		Name: aws.String(s.parameterName(connection, kind)),
	})
	if is[*types.ParameterNotFound](err) {
		return nil
	}
	return callError("DeleteParameter", err)
}

// errNoValue is an answer without the one thing that was asked for.
var errNoValue = errors.New("answer without a value")
