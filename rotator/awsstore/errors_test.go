package awsstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
	"reltio-token-rotator/rotator/secret"
)

// Failures are distinguished by their type only, and no printed form has a message,
// a URL or a value.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		do    func(context.Context, *awsstore.Store) error
		reply reply
		want  string // "" is success
		is    error
	}{
		{"no such version", at, reply{errorType: "ParameterVersionNotFound"}, "not found", rotator.ErrNotFound},
		{"no such parameter", at, reply{errorType: "ParameterNotFound"}, "not found", rotator.ErrNotFound},
		{"no parameter in the answer", at, reply{}, "GetParameter: unreadable response", nil},
		{"denied version", at, reply{errorType: "AccessDeniedException"}, "GetParameter: AccessDeniedException", nil},
		{"no such secret", read, reply{errorType: "ResourceNotFoundException"}, "not found", rotator.ErrNotFound},
		{"a secret without a value, in an emulator", read, reply{body: object{"SecretString": ""}}, "not found", rotator.ErrNotFound},
		{"a secret without anything", read, reply{}, "not found", rotator.ErrNotFound},
		{"denied secret", read, reply{errorType: "AccessDeniedException"}, "GetSecretValue: AccessDeniedException", nil},
		{"key lost", read, reply{errorType: "DecryptionFailure"}, "GetSecretValue: DecryptionFailure", nil},
		{"another version is current", restorePrevious, reply{errorType: "InvalidParameterException"}, "moved on", rotator.ErrMoved},
		{"version pruned", restorePrevious, reply{errorType: "ResourceNotFoundException"}, "UpdateSecretVersionStage: ResourceNotFoundException", nil},
		{"no pending refresh token to delete", deletePending, reply{errorType: "ParameterNotFound"}, "", nil},
		{"denied deletion", deletePending, reply{errorType: "AccessDeniedException"}, "DeleteParameter: AccessDeniedException", nil},
		{"just deleted", putPending, reply{errorType: "TooManyUpdates"}, "PutParameter: TooManyUpdates", nil},
		{"rejected write", put, reply{errorType: "ParameterLimitExceeded"}, "PutParameter: ParameterLimitExceeded", nil},
		{"throttled write", put, reply{errorType: "ThrottlingException"}, "PutParameter: ThrottlingException", nil},
		{"denied listing", list, reply{errorType: "com.amazonaws.ssm#AccessDeniedException"}, "GetParametersByPath: AccessDeniedException", nil},
		{"other data under this id", save, reply{errorType: "ResourceExistsException"}, "PutSecretValue: ResourceExistsException", nil},
		{"token secret gone", publish, reply{errorType: "ResourceNotFoundException"}, "PutSecretValue: ResourceNotFoundException", nil},
		{"secret gone", labels, reply{errorType: "ResourceNotFoundException"}, "DescribeSecret: ResourceNotFoundException", nil},
		{"responses lost", save, reply{lost: true}, "PutSecretValue: connection failed", io.EOF},
		{"not JSON", list, reply{raw: "<leaked page>"}, "GetParametersByPath: unreadable response", nil},
		{"an invalid code", save, reply{errorType: "leaked value, and more"}, "PutSecretValue: failed", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			cloud := newAWS(t, answering(c.reply))
			wantError(t, c.do(t.Context(), cloud.store()), c.want, c.is)
		})
	}
}

// A label on an old version stops every write after 100 of them. Its name is in the
// message, with the command that removes it.
func TestALabelledVersionIsNamed(t *testing.T) {
	const name = "/" + prefix + "/default/state"
	for _, c := range []struct {
		name    string
		history func(call) reply
		says    string
	}{
		{"on the second page", func(c call) reply {
			if c.input["NextToken"] == nil {
				return reply{body: object{"NextToken": "2", "Parameters": []object{{"Version": 3}}}}
			}
			return reply{body: object{"Parameters": []object{{"Version": 4, "Labels": []string{"good", "mine"}}, {"Version": 5, "Labels": []string{"x"}}}}}
		}, "version 4 of " + name + " has the label good, mine, so that AWS stores no further version; " +
			"remove the label: aws ssm unlabel-parameter-version --name " + name + " --parameter-version 4 --labels good mine"},
		{"that may not be seen", answering(reply{errorType: "AccessDeniedException"}), "find it with aws ssm get-parameter-history --name " + name},
		{"that is no label", answering(reply{body: object{"Parameters": []object{{"Version": 4, "Labels": []string{"x; leaked"}}}}}), "find it with aws ssm get-parameter-history --name " + name},
		{"that was removed meanwhile", answering(reply{}), "unlabel-parameter-version --name " + name + " --parameter-version VERSION --labels LABEL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cloud := newAWS(t, func(asked call) reply {
				if asked.operation == "GetParameterHistory" {
					return c.history(asked)
				}
				return reply{errorType: "ParameterMaxVersionLimitExceeded"}
			})
			err := put(t.Context(), cloud.store())
			wantError(t, err, "PutParameter: ParameterMaxVersionLimitExceeded", nil)
			labelled, ok := errors.AsType[*rotator.LabelledVersionError](err)
			if !ok || !strings.Contains(labelled.Remedy(), c.says) {
				t.Errorf("%v says %q, want %q", err, labelled.Remedy(), c.says)
			}
		})
	}
}

// The same for calls that got no response of the service.
func TestErrorsWithoutAnAnswer(t *testing.T) {
	t.Run("no answer in time", func(t *testing.T) {
		cloud := newAWS(t, answering(reply{never: true}))
		cloud.config.HTTPClient = awshttp.NewBuildableClient().WithTimeout(50 * time.Millisecond)
		wantError(t, put(t.Context(), cloud.store()), "PutParameter: timed out", context.DeadlineExceeded)
	})
	t.Run("deadline", func(t *testing.T) {
		cloud := newAWS(t, answering(reply{never: true}))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		wantError(t, put(ctx, cloud.store()), "PutParameter: timed out", context.DeadlineExceeded)
		if calls := len(cloud.asked()); calls > 1 {
			t.Errorf("%d attempts, want no second one", calls)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cloud := newAWS(t, func(call) reply { cancel(); return reply{never: true} })
		wantError(t, read(ctx, cloud.store()), "GetSecretValue: canceled", context.Canceled)
	})
	t.Run("no connection", func(t *testing.T) {
		cloud := newAWS(t, nil)
		cloud.config.HTTPClient = clientFunc(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("leaked address")}
		})
		wantError(t, list(t.Context(), cloud.store()), "GetParametersByPath: connection failed", nil)
	})
	t.Run("no connection in time", func(t *testing.T) {
		cloud := newAWS(t, nil)
		cloud.config.HTTPClient = clientFunc(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
		})
		wantError(t, list(t.Context(), cloud.store()), "GetParametersByPath: timed out", os.ErrDeadlineExceeded)
	})
	t.Run("no AWS credentials", func(t *testing.T) {
		cloud := newAWS(t, nil)
		cloud.config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("leaked")
		})
		wantError(t, list(t.Context(), cloud.store()), "GetParametersByPath: failed", nil)
	})
}

func wantError(t *testing.T, err error, want string, is error) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("error %q, want none", err)
		}
		return
	}
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	if err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("%q is not %v", err, is)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if printed := fmt.Sprintf(verb, err); strings.Contains(printed, "leaked") || strings.Contains(printed, "http") {
			t.Errorf("%s prints %q", verb, printed)
		}
	}
	call, ok := errors.AsType[*awsstore.CallError](err)
	if !ok {
		return
	}
	if _, ok := errors.AsType[*smithy.OperationError](err); !ok && call.Code != "unreadable response" {
		t.Errorf("%q does not unwrap to the SDK's error", err)
	}
}

// No error may show boxed.
var boxed = secret.New("leaked value")

// The methods of a store, reduced to their errors.

func list(ctx context.Context, s *awsstore.Store) error {
	_, err := s.List(ctx)
	return err
}

func put(ctx context.Context, s *awsstore.Store) error {
	_, err := s.Put(ctx, "default", rotator.KindState, boxed.Reveal())
	return err
}

func at(ctx context.Context, s *awsstore.Store) error {
	_, err := s.At(ctx, "default", rotator.KindLease, 3)
	return err
}

func read(ctx context.Context, s *awsstore.Store) error {
	_, err := s.Read(ctx, "default")
	return err
}

func labels(ctx context.Context, s *awsstore.Store) error {
	_, err := s.Labels(ctx, "default")
	return err
}

func save(ctx context.Context, s *awsstore.Store) error {
	return s.Save(ctx, "default", versionA, boxed)
}

func publish(ctx context.Context, s *awsstore.Store) error {
	return s.Publish(ctx, "default", versionA, boxed)
}

func restorePrevious(ctx context.Context, s *awsstore.Store) error {
	return s.RestorePrevious(ctx, "default", versionB, versionA)
}

func putPending(ctx context.Context, s *awsstore.Store) error {
	return s.PutPending(ctx, "default", boxed)
}

func deletePending(ctx context.Context, s *awsstore.Store) error {
	return s.DeletePending(ctx, "default")
}

// clientFunc is an HTTP client of a test.
type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }
