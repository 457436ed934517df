package awsstore

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// pageSize is the largest page of GetParametersByPath.
const pageSize = 10

// List returns the parameters of every connection, with pending refresh tokens
// decrypted. It returns all of them or an error, because with some of them a connection
// would seem to be missing.
func (s *Store) List(ctx context.Context) ([]rotator.Parameter, error) {
	pages := ssm.NewGetParametersByPathPaginator(s.parameters(), &ssm.GetParametersByPathInput{
		Path:           aws.String(s.parameterPath()),
		Recursive:      aws.Bool(true),
		WithDecryption: aws.Bool(true),
		MaxResults:     aws.Int32(pageSize),
	})
	var found []rotator.Parameter
	// A page may be empty and still not be the last one.
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

// Put writes a String parameter and returns its new version. PutParameter has no
// idempotency token. If a response is lost and the SDK repeats the call, the version
// counts both writes.
func (s *Store) Put(ctx context.Context, connection string, kind rotator.Kind, value string) (int64, error) {
	out, err := s.parameters().PutParameter(ctx, &ssm.PutParameterInput{
		Name:      aws.String(s.parameterName(connection, kind)),
		Type:      types.ParameterTypeString,
		Value:     aws.String(value),
		Overwrite: aws.Bool(true),
	})
	if err != nil {
		return 0, s.putError(ctx, connection, kind, err)
	}
	return out.Version, nil
}

// At returns the value of one version of a String parameter.
// rotator.ErrNotFound means that there is no such parameter or version, or that
// AWS has deleted it after 100 later ones.
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

// PutPending writes the pending refresh token as a SecureString with the account's
// key aws/ssm, which needs no KMS permission. For about 30 s after DeletePending
// AWS may reject a new one. The caller repeats the call.
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
	return s.putError(ctx, connection, kind, err)
}

// putError wraps the error of a PutParameter. If a version's label is the cause, it
// looks for the label, so that the message can name it.
func (s *Store) putError(ctx context.Context, connection string, kind rotator.Kind, err error) error {
	if !is[*types.ParameterMaxVersionLimitExceeded](err) {
		return callError("PutParameter", err)
	}
	labelled := &rotator.LabelledVersionError{Parameter: s.parameterName(connection, kind), Cause: callError("PutParameter", err)}
	pages := ssm.NewGetParameterHistoryPaginator(s.parameters(), &ssm.GetParameterHistoryInput{Name: aws.String(labelled.Parameter)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return labelled // the message then says how to find the label
		}
		for _, version := range page.Parameters {
			if len(version.Labels) > 0 && !slices.ContainsFunc(version.Labels, notALabel) {
				labelled.Version, labelled.Labels = version.Version, version.Labels
				return labelled
			}
		}
	}
	return labelled
}

// DeletePending deletes the pending refresh token. It is no error when there is
// none.
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

// notALabel reports whether text has a character that AWS does not allow in a
// label. The message puts labels into a command.
func notALabel(text string) bool {
	return text == "" || !isCode(strings.ReplaceAll(text, "-", "_"))
}

// errNoValue is the error of a response without the value that was requested.
var errNoValue = errors.New("response without a value")
