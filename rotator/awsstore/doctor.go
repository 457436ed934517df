package awsstore

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"reltio-token-rotator/rotator"
)

// This file has the calls that only the doctor makes. None of them changes a current
// value.

// checkParameter is the check parameter's value, for an operator who finds it.
const checkParameter = "written by a check and not used afterwards"

// SecretName is the name of one of the connection's secrets.
func (s *Store) SecretName(connection string, kind rotator.SecretKind) string {
	if kind == rotator.SecretToken {
		return s.tokenName(connection)
	}
	return s.credentialsName(connection)
}

// ParameterName is the name of one of the connection's parameters.
func (s *Store) ParameterName(connection string, kind rotator.Kind) string {
	return s.parameterName(connection, kind)
}

// Describe returns what a secret shows without its value.
// rotator.ErrNotFound means that there is no such secret.
func (s *Store) Describe(ctx context.Context, connection string, kind rotator.SecretKind) (rotator.SecretDescription, error) {
	out, err := s.secrets().DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{
		SecretId: aws.String(s.SecretName(connection, kind)),
	})
	if is[*types.ResourceNotFoundException](err) {
		return rotator.SecretDescription{}, rotator.ErrNotFound
	}
	if err != nil {
		return rotator.SecretDescription{}, callError("DescribeSecret", err)
	}
	about := rotator.SecretDescription{
		Labels: out.VersionIdsToStages, Key: aws.ToString(out.KmsKeyId), Deleted: out.DeletedDate != nil,
	}
	for id, labels := range out.VersionIdsToStages {
		if slices.Contains(labels, labelCurrent) {
			about.Current = id
		}
	}
	return about, nil
}

// PutLabelled writes document as a version with label, under an id of 32 to 64
// characters. The version does not become current, unless it is the secret's first
// one: Secrets Manager then adds AWSCURRENT, and current is true. If a version with
// that id exists, nothing is written, whatever it holds.
func (s *Store) PutLabelled(ctx context.Context, connection string, kind rotator.SecretKind, versionID, label, document string) (current bool, err error) {
	out, err := s.secrets().PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId:           aws.String(s.SecretName(connection, kind)),
		ClientRequestToken: aws.String(versionID),
		SecretString:       aws.String(document),
		VersionStages:      []string{label},
	})
	if is[*types.ResourceExistsException](err) {
		return false, nil // it exists with another text, which an earlier release wrote
	}
	if err != nil {
		return false, callError("PutSecretValue", err)
	}
	return slices.Contains(out.VersionStages, labelCurrent), nil
}

// RemoveLabel removes label from a version. It is no error when the version does not
// have it or does not exist.
func (s *Store) RemoveLabel(ctx context.Context, connection string, kind rotator.SecretKind, versionID, label string) error {
	_, err := s.secrets().UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId:            aws.String(s.SecretName(connection, kind)),
		VersionStage:        aws.String(label),
		RemoveFromVersionId: aws.String(versionID),
	})
	if is[*types.InvalidParameterException](err) || is[*types.ResourceNotFoundException](err) {
		return nil
	}
	return callError("UpdateSecretVersionStage", err)
}

// PutCheck writes the check parameter as PutPending writes a pending refresh token.
func (s *Store) PutCheck(ctx context.Context, connection string) error {
	return s.putSecure(ctx, connection, rotator.KindCheck, checkParameter)
}

// DeleteCheck deletes the check parameter. It is no error when it does not exist.
func (s *Store) DeleteCheck(ctx context.Context, connection string) error {
	return s.deleteParameter(ctx, connection, rotator.KindCheck)
}
