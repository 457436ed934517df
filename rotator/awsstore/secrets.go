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

// The staging labels that Secrets Manager moves by itself.
const (
	labelCurrent  = "AWSCURRENT"
	labelPrevious = "AWSPREVIOUS"
)

// Read returns the current version of the connection's credentials secret. Of
// many at once some wait for others. rotator.ErrNotFound: there is no such secret,
// or no value in it yet. A value stored as SecretBinary is a *rotator.Error with
// rotator.CredentialsUnread.
func (s *Store) Read(ctx context.Context, connection string) (rotator.SecretVersion, error) {
	select {
	case s.reads <- struct{}{}:
		defer func() { <-s.reads }()
	case <-ctx.Done():
		return rotator.SecretVersion{}, callError("GetSecretValue", ctx.Err())
	}
	out, err := s.secrets().GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId:     aws.String(s.credentialsName(connection)),
		VersionStage: aws.String(labelCurrent),
	})
	if is[*types.ResourceNotFoundException](err) {
		return rotator.SecretVersion{}, rotator.ErrNotFound
	}
	if err != nil {
		return rotator.SecretVersion{}, callError("GetSecretValue", err)
	}
	if len(out.SecretBinary) > 0 {
		return rotator.SecretVersion{}, &rotator.Error{
			Code:    rotator.CredentialsUnread,
			Message: "the credentials secret holds binary data: store the JSON as a SecretString (aws secretsmanager put-secret-value --secret-string file://…)",
		}
	}
	// AWS has no empty values; emulators show a secret without a value so.
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
// an id of 32 to 64 characters. The same id and document again change nothing.
func (s *Store) Save(ctx context.Context, connection, versionID string, document secret.Value) error {
	return s.putSecret(ctx, s.credentialsName(connection), versionID, document)
}

// Publish writes document as the current version of the token secret, under an
// id of 32 to 64 characters. The same id and document again change nothing.
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

// Labels returns the current and the previous version of the credentials
// secret; a label that no version bears is "".
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
// "from" still is, and returns rotator.ErrMoved when it is not. Naming "from"
// is what makes Secrets Manager compare before it sets
// (UpdateSecretVersionStage, RemoveFromVersionId). ErrMoved also comes when
// this very call moved it, its answer was lost and the SDK asked again: either
// way "from" is not current any more.
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
