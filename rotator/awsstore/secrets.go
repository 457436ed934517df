package awsstore

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/secret"
)

// The staging labels that Secrets Manager moves itself.
const (
	labelCurrent  = "AWSCURRENT"
	labelPrevious = "AWSPREVIOUS"
)

// Read returns the current version of the connection's credentials secret. At most
// 32 reads run at the same time, and the others wait. rotator.ErrNotFound means
// that there is no such secret, or no value in it yet. For a value stored as
// SecretBinary the error is a *rotator.Error with rotator.CredentialsUnread.
func (s *Store) Read(ctx context.Context, connection string) (rotator.SecretVersion, error) {
	return s.readSecret(ctx, &secretsmanager.GetSecretValueInput{
		SecretId:     aws.String(s.credentialsName(connection)),
		VersionStage: aws.String(labelCurrent),
	})
}

// ReadVersion returns the version of the credentials secret with this id.
// rotator.ErrNotFound means that there is none.
func (s *Store) ReadVersion(ctx context.Context, connection, versionID string) (rotator.SecretVersion, error) {
	return s.readSecret(ctx, &secretsmanager.GetSecretValueInput{
		SecretId:  aws.String(s.credentialsName(connection)),
		VersionId: aws.String(versionID),
	})
}

// readSecret makes one of at most concurrentReads calls at the same time.
func (s *Store) readSecret(ctx context.Context, input *secretsmanager.GetSecretValueInput) (rotator.SecretVersion, error) {
	select {
	case s.reads <- struct{}{}:
		defer func() { <-s.reads }()
	case <-ctx.Done():
		return rotator.SecretVersion{}, callError("GetSecretValue", ctx.Err())
	}
	out, err := s.secrets().GetSecretValue(ctx, input)
	if is[*types.ResourceNotFoundException](err) {
		return rotator.SecretVersion{}, rotator.ErrNotFound
	}
	if err != nil {
		return rotator.SecretVersion{}, callError("GetSecretValue", err)
	}
	if len(out.SecretBinary) > 0 {
		return rotator.SecretVersion{}, &rotator.Error{
			Code:    rotator.CredentialsUnread,
			Message: "the credentials secret has a binary value; store the JSON as a SecretString (aws secretsmanager put-secret-value --secret-string file://credentials.json)",
		}
	}
	// AWS has no empty values, but an emulator may return one for a secret without a value.
	if aws.ToString(out.SecretString) == "" {
		return rotator.SecretVersion{}, rotator.ErrNotFound
	}
	return rotator.SecretVersion{
		ID:        aws.ToString(out.VersionId),
		Document:  secret.New(*out.SecretString),
		CreatedAt: aws.ToTime(out.CreatedDate),
	}, nil
}

// Save writes document as the current version of the credentials secret, under
// an id of 32 to 64 characters. A repeated call with the same id and document
// changes nothing.
func (s *Store) Save(ctx context.Context, connection, versionID string, document secret.Value) error {
	return s.putSecret(ctx, s.credentialsName(connection), versionID, document)
}

// Publish writes document as the current version of the token secret, under an
// id of 32 to 64 characters. A repeated call with the same id and document changes
// nothing.
func (s *Store) Publish(ctx context.Context, connection, versionID string, document secret.Value) error {
	return s.putSecret(ctx, s.tokenName(connection), versionID, document)
}

func (s *Store) putSecret(ctx context.Context, name, versionID string, document secret.Value) error {
	_, err := s.secrets().PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId:           aws.String(name),
		ClientRequestToken: aws.String(versionID),
		SecretString:       aws.String(document.Reveal()),
	})
	return callError("PutSecretValue", err)
}

// Labels returns the current and the previous version of the credentials secret, or ""
// for a label that no version has.
func (s *Store) Labels(ctx context.Context, connection string) (rotator.VersionLabels, error) {
	out, err := s.secrets().DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{
		SecretId: aws.String(s.credentialsName(connection)),
	})
	if err != nil {
		return rotator.VersionLabels{}, callError("DescribeSecret", err)
	}
	var labels rotator.VersionLabels
	for id, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, labelCurrent) {
			labels.Current = id
		}
		if slices.Contains(stages, labelPrevious) {
			labels.Previous = id
		}
	}
	return labels, nil
}

// RestorePrevious makes version "to" of the credentials secret current again if
// "from" is still current, and returns rotator.ErrMoved if it is not. Secrets Manager
// makes this comparison because the call names "from" as RemoveFromVersionId
// (UpdateSecretVersionStage). ErrMoved is also returned if this call succeeded, its
// response was lost and the SDK repeated it. In both cases "from" is no longer current.
func (s *Store) RestorePrevious(ctx context.Context, connection, from, to string) error {
	_, err := s.secrets().UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId:            aws.String(s.credentialsName(connection)),
		VersionStage:        aws.String(labelCurrent),
		MoveToVersionId:     aws.String(to),
		RemoveFromVersionId: aws.String(from),
	})
	if is[*types.InvalidParameterException](err) {
		return rotator.ErrMoved
	}
	return callError("UpdateSecretVersionStage", err)
}
