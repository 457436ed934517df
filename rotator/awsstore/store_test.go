package awsstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
)

const (
	versionA = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
	versionB = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
)

// What each method asks of AWS: these are the names and options that the
// stack's policies and other people's scripts rely on.
func TestRequests(t *testing.T) {
	document := rotator.NewSecret(`{"a":"s3c+r/e=t%41 x:y"}`)
	for _, c := range []struct {
		name string
		do   func(context.Context, *awsstore.Store) error
		want call
	}{
		{
			"List", func(ctx context.Context, s *awsstore.Store) error {
				_, err := s.List(ctx)
				return err
			},
			call{"GetParametersByPath", object{
				"Path": "/" + prefix, "Recursive": true, "WithDecryption": true, "MaxResults": 10.0,
			}},
		},
		{
			"Put", func(ctx context.Context, s *awsstore.Store) error {
				_, err := s.Put(ctx, "default", rotator.KindClaim, "{}")
				return err
			},
			call{"PutParameter", object{
				"Name": "/" + prefix + "/default/claim", "Type": "String", "Value": "{}", "Overwrite": true,
			}},
		},
		{
			"At", func(ctx context.Context, s *awsstore.Store) error {
				_, err := s.At(ctx, "default", rotator.KindClaim, 13)
				return err
			},
			call{"GetParameter", object{"Name": "/" + prefix + "/default/claim:13"}},
		},
		{
			"PutEscrow", func(ctx context.Context, s *awsstore.Store) error {
				return s.PutEscrow(ctx, "default", document)
			},
			call{"PutParameter", object{
				"Name": "/" + prefix + "/default/escrow", "Type": "SecureString",
				"Value": document.Reveal(), "Overwrite": true,
			}},
		},
		{
			"DeleteEscrow", func(ctx context.Context, s *awsstore.Store) error {
				return s.DeleteEscrow(ctx, "default")
			},
			call{"DeleteParameter", object{"Name": "/" + prefix + "/default/escrow"}},
		},
		{
			"Read", func(ctx context.Context, s *awsstore.Store) error {
				_, err := s.Read(ctx, "default")
				return err
			},
			call{"GetSecretValue", object{
				"SecretId": prefix + "/default/credentials", "VersionStage": "AWSCURRENT",
			}},
		},
		{
			"Save", func(ctx context.Context, s *awsstore.Store) error {
				return s.Save(ctx, "default", versionB, document)
			},
			call{"PutSecretValue", object{
				"SecretId": prefix + "/default/credentials", "ClientRequestToken": versionB,
				"SecretString": document.Reveal(),
			}},
		},
		{
			"Publish", func(ctx context.Context, s *awsstore.Store) error {
				return s.Publish(ctx, "default", versionB, document)
			},
			call{"PutSecretValue", object{
				"SecretId": prefix + "/default/token", "ClientRequestToken": versionB,
				"SecretString": document.Reveal(),
			}},
		},
		{
			"Labels", func(ctx context.Context, s *awsstore.Store) error {
				_, err := s.Labels(ctx, "default")
				return err
			},
			call{"DescribeSecret", object{"SecretId": prefix + "/default/credentials"}},
		},
		{
			"GiveBack", func(ctx context.Context, s *awsstore.Store) error {
				return s.GiveBack(ctx, "default", versionB, versionA)
			},
			call{"UpdateSecretVersionStage", object{
				"SecretId": prefix + "/default/credentials", "VersionStage": "AWSCURRENT",
				"RemoveFromVersionId": versionB, "MoveToVersionId": versionA,
			}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cloud := newAWS(t, answering(reply{body: object{
				"SecretString": "{}", "Parameter": object{"Value": "{}"},
			}}))
			if err := c.do(t.Context(), cloud.store()); err != nil {
				t.Fatal(err)
			}
			if got := cloud.asked(); !reflect.DeepEqual(got, []call{c.want}) {
				t.Errorf("asked %v\nwant  %v", got, c.want)
			}
		})
	}
}

func TestListReadsEveryPage(t *testing.T) {
	parameter := func(name string, version int) object {
		return object{"Name": name, "Value": "value of " + name, "Version": version}
	}
	const at = "/" + prefix
	pages := map[any]object{
		nil: {"NextToken": "2", "Parameters": []object{
			parameter(at+"/one/config", 1), parameter(at+"/one/state", 7), parameter(at+"/one/claim", 5),
		}},
		"2": {"NextToken": "3", "Parameters": []object{}},
		"3": {"NextToken": "4", "Parameters": []object{
			parameter(at+"/one/check", 1), parameter(at+"/config", 1), parameter(at+"/one/two/config", 1),
			parameter(at+"/one", 1), parameter(at+"//config", 1), parameter(at+"-other/one/config", 1),
		}},
		"4": {"Parameters": []object{parameter(at+"/two/escrow", 1)}},
	}
	cloud := newAWS(t, func(c call) reply { return reply{body: pages[c.input["NextToken"]]} })

	found, err := cloud.store().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range found {
		got = append(got, fmt.Sprintf("%s %s %d %s", p.Connection, p.Kind, p.Version, p.Value.Reveal()))
	}
	want := []string{
		"one config 1 value of " + at + "/one/config",
		"one state 7 value of " + at + "/one/state",
		"one claim 5 value of " + at + "/one/claim",
		"two escrow 1 value of " + at + "/two/escrow",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %q\nwant  %q", got, want)
	}
	if calls := len(cloud.asked()); calls != len(pages) {
		t.Errorf("%d calls, want %d", calls, len(pages))
	}
}

func TestListIsWholeOrAnError(t *testing.T) {
	cloud := newAWS(t, func(c call) reply {
		if c.input["NextToken"] == nil {
			return reply{body: object{"NextToken": "2", "Parameters": []object{
				{"Name": "/" + prefix + "/one/config", "Value": "{}", "Version": 1},
			}}}
		}
		return reply{errorType: "AccessDeniedException"}
	})
	found, err := cloud.store().List(t.Context())
	if err == nil || len(found) != 0 {
		t.Errorf("List = %d parameters and %v, want none and an error", len(found), err)
	}
}

func TestIdleListingMakesNoSecretsManagerClient(t *testing.T) {
	cloud := newAWS(t, answering(reply{}))
	store := cloud.store()
	if len(cloud.clients) != 0 {
		t.Errorf("New made clients of %v", cloud.clients)
	}
	for range 2 {
		if _, err := store.List(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"SSM"}; !slices.Equal(cloud.clients, want) {
		t.Errorf("clients of %v after two listings, want %v", cloud.clients, want)
	}
	_ = store.Publish(t.Context(), "default", versionA, rotator.NewSecret("{}"))
	if want := []string{"SSM", "Secrets Manager"}; !slices.Equal(cloud.clients, want) {
		t.Errorf("clients of %v after a write, want %v", cloud.clients, want)
	}
}

// PutParameter is not idempotent: when the answer to a write is lost, the SDK
// writes again, and the version is two higher than the one before. The caller
// must not take that for another run's write.
func TestPutWhoseAnswerIsLostCountsTwice(t *testing.T) {
	version := 4
	cloud := newAWS(t, func(call) reply {
		version++
		return reply{lost: version == 5, body: object{"Version": version}}
	})
	got, err := cloud.store().Put(t.Context(), "default", rotator.KindClaim, "mine")
	if err != nil || got != 6 {
		t.Errorf("Put = version %d, %v; want 6", got, err)
	}
	for _, c := range cloud.asked() {
		if c.input["Value"] != "mine" {
			t.Errorf("wrote %v", c.input)
		}
	}
}

// A repeated PutSecretValue carries the same token, so that AWS sees one write.
func TestSaveWhoseAnswerIsLostIsTheSameWrite(t *testing.T) {
	asked := 0
	cloud := newAWS(t, func(call) reply {
		asked++
		return reply{lost: asked == 1}
	})
	if err := cloud.store().Save(t.Context(), "default", versionB, rotator.NewSecret("{}")); err != nil {
		t.Fatal(err)
	}
	calls := cloud.asked()
	if len(calls) != 2 || !reflect.DeepEqual(calls[0], calls[1]) {
		t.Errorf("asked %v, want the same twice", calls)
	}
}

func TestRead(t *testing.T) {
	cloud := newAWS(t, answering(reply{body: object{
		"SecretString": ` {"client_id":"a"} `, "VersionId": versionA, "CreatedDate": 1795428000.5,
	}}))
	got, err := cloud.store().Read(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if got.Document.Reveal() != ` {"client_id":"a"} ` || got.ID != versionA ||
		!got.CreatedAt.Equal(time.UnixMilli(1795428000500)) {
		t.Errorf("Read = %q of version %s from %v", got.Document.Reveal(), got.ID, got.CreatedAt)
	}
}

func TestReadOfABinarySecretSaysWhatToDo(t *testing.T) {
	cloud := newAWS(t, answering(reply{body: object{"SecretBinary": "bGVha2Vk", "VersionId": versionA}}))
	_, err := cloud.store().Read(t.Context(), "default")
	if rotator.CodeOf(err) != rotator.CredentialsUnread || !strings.Contains(err.Error(), "SecretString") {
		t.Errorf("Read = %v", err)
	}
}

func TestLabels(t *testing.T) {
	for _, c := range []struct {
		name   string
		stages object
		want   rotator.VersionLabels
	}{
		{"no version", nil, rotator.VersionLabels{}},
		{"one version", object{versionA: []string{"AWSCURRENT"}}, rotator.VersionLabels{Current: versionA}},
		{
			"two versions, one with a label of somebody's own",
			object{versionA: []string{"AWSPREVIOUS"}, versionB: []string{"MINE", "AWSCURRENT"}, "c": []string{"OTHER"}},
			rotator.VersionLabels{Current: versionB, Previous: versionA},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cloud := newAWS(t, answering(reply{body: object{"VersionIdsToStages": c.stages}}))
			got, err := cloud.store().Labels(t.Context(), "default")
			if err != nil || got != c.want {
				t.Errorf("Labels = %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

// What the SDK's HTTP client is given, since it has no timeout of its own.
func TestHTTPClientHasTimeouts(t *testing.T) {
	var seen []aws.HTTPClient
	note := clientFunc(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
	for _, given := range []aws.HTTPClient{nil, awshttp.NewBuildableClient(), awshttp.NewBuildableClient().WithTimeout(time.Minute), note} {
		cloud := newAWS(t, answering(reply{}))
		cloud.config.HTTPClient = given
		cloud.config.ServiceOptions = []func(string, any){func(_ string, options any) {
			seen = append(seen, reflect.ValueOf(options).Elem().FieldByName("HTTPClient").Interface().(aws.HTTPClient))
		}}
		_, _ = cloud.store().List(t.Context())
	}
	var got []string
	for _, client := range seen {
		buildable, ok := client.(*awshttp.BuildableClient)
		if !ok {
			got = append(got, "its own")
			continue
		}
		got = append(got, fmt.Sprint(buildable.GetTimeout(), " ", buildable.GetTransport().IdleConnTimeout))
	}
	want := []string{"5s 20s", "5s 20s", "1m0s 1m30s", "its own"}
	if !slices.Equal(got, want) {
		t.Errorf("clients %v, want %v", got, want)
	}
}

type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// A call that fails in one way is told apart from another by its type alone,
// and no printed form holds a message, a URL or a value.
func TestErrors(t *testing.T) {
	secret := rotator.NewSecret("leaked value")
	list := func(ctx context.Context, s *awsstore.Store) error { _, err := s.List(ctx); return err }
	put := func(ctx context.Context, s *awsstore.Store) error {
		_, err := s.Put(ctx, "default", rotator.KindState, secret.Reveal())
		return err
	}
	at := func(ctx context.Context, s *awsstore.Store) error {
		_, err := s.At(ctx, "default", rotator.KindClaim, 3)
		return err
	}
	read := func(ctx context.Context, s *awsstore.Store) error { _, err := s.Read(ctx, "default"); return err }
	labels := func(ctx context.Context, s *awsstore.Store) error { _, err := s.Labels(ctx, "default"); return err }
	save := func(ctx context.Context, s *awsstore.Store) error { return s.Save(ctx, "default", versionA, secret) }
	publish := func(ctx context.Context, s *awsstore.Store) error { return s.Publish(ctx, "default", versionA, secret) }
	giveBack := func(ctx context.Context, s *awsstore.Store) error {
		return s.GiveBack(ctx, "default", versionB, versionA)
	}
	putEscrow := func(ctx context.Context, s *awsstore.Store) error { return s.PutEscrow(ctx, "default", secret) }
	deleteEscrow := func(ctx context.Context, s *awsstore.Store) error { return s.DeleteEscrow(ctx, "default") }

	for _, c := range []struct {
		name  string
		do    func(context.Context, *awsstore.Store) error
		reply reply
		want  string // "" is success
		is    error
	}{
		{"no such version", at, reply{errorType: "ParameterVersionNotFound"}, "not found", rotator.ErrNotFound},
		{"no such parameter", at, reply{errorType: "ParameterNotFound"}, "not found", rotator.ErrNotFound},
		{"no parameter in the answer", at, reply{}, "GetParameter: unreadable answer", nil},
		{"refused version", at, reply{errorType: "AccessDeniedException"}, "GetParameter: AccessDeniedException", nil},
		{"no such secret", read, reply{errorType: "ResourceNotFoundException"}, "not found", rotator.ErrNotFound},
		{"a secret without a value, in an emulator", read, reply{body: object{"SecretString": ""}}, "not found", rotator.ErrNotFound},
		{"a secret without anything", read, reply{}, "not found", rotator.ErrNotFound},
		{"refused secret", read, reply{errorType: "AccessDeniedException"}, "GetSecretValue: AccessDeniedException", nil},
		{"key gone", read, reply{errorType: "DecryptionFailure"}, "GetSecretValue: DecryptionFailure", nil},
		{"faster than we", giveBack, reply{errorType: "InvalidParameterException"}, "moved on", rotator.ErrMoved},
		{"version pruned", giveBack, reply{errorType: "ResourceNotFoundException"}, "UpdateSecretVersionStage: ResourceNotFoundException", nil},
		{"no escrow to delete", deleteEscrow, reply{errorType: "ParameterNotFound"}, "", nil},
		{"refused deletion", deleteEscrow, reply{errorType: "AccessDeniedException"}, "DeleteParameter: AccessDeniedException", nil},
		{"just deleted", putEscrow, reply{errorType: "TooManyUpdates"}, "PutParameter: TooManyUpdates", nil},
		{"refused write", put, reply{errorType: "ParameterLimitExceeded"}, "PutParameter: ParameterLimitExceeded", nil},
		{"throttled write", put, reply{errorType: "ThrottlingException"}, "PutParameter: ThrottlingException", nil},
		{"refused listing", list, reply{errorType: "com.amazonaws.ssm#AccessDeniedException"}, "GetParametersByPath: AccessDeniedException", nil},
		{"other data under this id", save, reply{errorType: "ResourceExistsException"}, "PutSecretValue: ResourceExistsException", nil},
		{"token secret gone", publish, reply{errorType: "ResourceNotFoundException"}, "PutSecretValue: ResourceNotFoundException", nil},
		{"secret gone", labels, reply{errorType: "ResourceNotFoundException"}, "DescribeSecret: ResourceNotFoundException", nil},
		{"answers lost", save, reply{lost: true}, "PutSecretValue: connection failed", io.EOF},
		{"not JSON", list, reply{raw: "<leaked page>"}, "GetParametersByPath: unreadable answer", nil},
		{"a code that is none", save, reply{errorType: "leaked value, and more"}, "PutSecretValue: failed", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			cloud := newAWS(t, answering(c.reply))
			wantError(t, c.do(t.Context(), cloud.store()), c.want, c.is)
		})
	}

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
		if calls := len(cloud.asked()); calls != 1 {
			t.Errorf("%d attempts, want 1", calls)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cloud := newAWS(t, func(call) reply { cancel(); return reply{never: true} })
		wantError(t, read(ctx, cloud.store()), "GetSecretValue: canceled", context.Canceled)
	})
	t.Run("nobody there", func(t *testing.T) {
		cloud := newAWS(t, nil)
		cloud.config.HTTPClient = clientFunc(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("leaked address")}
		})
		wantError(t, list(t.Context(), cloud.store()), "GetParametersByPath: connection failed", nil)
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
	if _, ok := errors.AsType[*smithy.OperationError](err); !ok && call.Code != "unreadable answer" {
		t.Errorf("%q does not unwrap to the SDK's error", err)
	}
}
