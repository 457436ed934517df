package awsstore_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
)

// The doctor's calls. None of its writes names or moves AWSCURRENT.
func TestRequestsOfTheCheck(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(context.Context, *awsstore.Store) error
		want call
	}{
		{"Describe", describe, call{"DescribeSecret", object{"SecretId": prefix + "/default/token"}}},
		{"PutLabelled", putLabelled, call{"PutSecretValue", object{
			"SecretId": prefix + "/default/token", "ClientRequestToken": versionA,
			"SecretString": "{}", "VersionStages": []any{"MINE"},
		}}},
		{"RemoveLabel", removeLabel, call{"UpdateSecretVersionStage", object{
			"SecretId": prefix + "/default/credentials", "VersionStage": "MINE", "RemoveFromVersionId": versionA,
		}}},
		{"PutCheck", putCheck, call{"PutParameter", object{
			"Name": "/" + prefix + "/default/check", "Type": "SecureString", "Overwrite": true,
			"Value": "written by a check and not used afterwards",
		}}},
		{"DeleteCheck", deleteCheck, call{"DeleteParameter", object{"Name": "/" + prefix + "/default/check"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cloud := newAWS(t, answering(reply{}))
			if err := c.do(t.Context(), cloud.store()); err != nil {
				t.Fatal(err)
			}
			if got := cloud.asked(); !reflect.DeepEqual(got, []call{c.want}) {
				t.Errorf("asked %v\nwant  %v", got, c.want)
			}
		})
	}
}

func TestErrorsOfTheCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		do    func(context.Context, *awsstore.Store) error
		reply reply
		want  string // "" is success
		is    error
	}{
		{"no such secret", describe, reply{errorType: "ResourceNotFoundException"}, "not found", rotator.ErrNotFound},
		{"no permission to describe", describe, reply{errorType: "AccessDeniedException"}, "DescribeSecret: AccessDeniedException", rotator.ErrDenied},
		{"the day's version has another text", putLabelled, reply{errorType: "ResourceExistsException"}, "", nil},
		{"no permission to write", putLabelled, reply{errorType: "AccessDeniedException"}, "PutSecretValue: AccessDeniedException", rotator.ErrDenied},
		{"key lost", putLabelled, reply{errorType: "EncryptionFailure"}, "PutSecretValue: EncryptionFailure", rotator.ErrKey},
		{"key disabled", putCheck, reply{errorType: "KMSDisabledException"}, "PutParameter: KMSDisabledException", rotator.ErrKey},
		{"the version does not have the label", removeLabel, reply{errorType: "InvalidParameterException"}, "", nil},
		{"the version does not exist", removeLabel, reply{errorType: "ResourceNotFoundException"}, "", nil},
		{"no permission to move labels", removeLabel, reply{errorType: "AccessDeniedException"}, "UpdateSecretVersionStage: AccessDeniedException", rotator.ErrDenied},
		{"deleted a moment ago", putCheck, reply{errorType: "TooManyUpdates"}, "PutParameter: TooManyUpdates", nil},
		{"no check parameter", deleteCheck, reply{errorType: "ParameterNotFound"}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			cloud := newAWS(t, answering(c.reply))
			err := c.do(t.Context(), cloud.store())
			wantError(t, err, c.want, c.is)
			for _, other := range []error{rotator.ErrDenied, rotator.ErrKey} {
				if other != c.is && errors.Is(err, other) {
					t.Errorf("%v matches %v", err, other)
				}
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	labels := map[string][]string{versionA: {"AWSPREVIOUS", "MINE"}, versionB: {"AWSCURRENT"}}
	for _, c := range []struct {
		name string
		body object
		want rotator.SecretDescription
	}{
		{"no value", object{}, rotator.SecretDescription{}},
		{
			"two versions",
			object{"VersionIdsToStages": labels, "KmsKeyId": "a key"},
			rotator.SecretDescription{Labels: labels, Current: versionB, Key: "a key"},
		},
		{
			"deletion is scheduled",
			object{"DeletedDate": 1795428000.5},
			rotator.SecretDescription{Deleted: true},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := newAWS(t, answering(reply{body: c.body})).store().Describe(t.Context(), "default", rotator.SecretToken)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("Describe = %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestPutLabelledReportsWhetherItBecameCurrent(t *testing.T) {
	for _, stages := range [][]string{{"MINE"}, {"AWSCURRENT", "MINE"}} {
		cloud := newAWS(t, answering(reply{body: object{"VersionStages": stages}}))
		current, err := cloud.store().PutLabelled(t.Context(), "default", rotator.SecretToken, versionA, "MINE", "{}")
		if err != nil || current != (len(stages) == 2) {
			t.Errorf("%v: %t, %v", stages, current, err)
		}
	}
}

func describe(ctx context.Context, s *awsstore.Store) error {
	_, err := s.Describe(ctx, "default", rotator.SecretToken)
	return err
}

func putLabelled(ctx context.Context, s *awsstore.Store) error {
	_, err := s.PutLabelled(ctx, "default", rotator.SecretToken, versionA, "MINE", "{}")
	return err
}

func removeLabel(ctx context.Context, s *awsstore.Store) error {
	return s.RemoveLabel(ctx, "default", rotator.SecretCredentials, versionA, "MINE")
}

func putCheck(ctx context.Context, s *awsstore.Store) error { return s.PutCheck(ctx, "default") }

func deleteCheck(ctx context.Context, s *awsstore.Store) error { return s.DeleteCheck(ctx, "default") }
