package awsstore_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/rotator/awsstore"
	"reltio-token-rotator/rotator/secret"
)

const (
	versionA = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
	versionB = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
)

// The request of each method. The stack's policies and operators' scripts depend on
// these names and options.
func TestRequests(t *testing.T) {
	document := secret.New(`{"a":"s3c+r/e=t%41 x:y"}`)
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
				_, err := s.Put(ctx, "default", rotator.KindLease, "{}")
				return err
			},
			call{"PutParameter", object{
				"Name": "/" + prefix + "/default/lease", "Type": "String", "Value": "{}", "Overwrite": true,
			}},
		},
		{
			"At", func(ctx context.Context, s *awsstore.Store) error {
				_, err := s.At(ctx, "default", rotator.KindLease, 13)
				return err
			},
			call{"GetParameter", object{"Name": "/" + prefix + "/default/lease:13"}},
		},
		{
			"PutPending", func(ctx context.Context, s *awsstore.Store) error {
				return s.PutPending(ctx, "default", document)
			},
			call{"PutParameter", object{
				"Name": "/" + prefix + "/default/pending", "Type": "SecureString",
				"Value": document.Reveal(), "Overwrite": true,
			}},
		},
		{
			"DeletePending", func(ctx context.Context, s *awsstore.Store) error {
				return s.DeletePending(ctx, "default")
			},
			call{"DeleteParameter", object{"Name": "/" + prefix + "/default/pending"}},
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
			"RestorePrevious", func(ctx context.Context, s *awsstore.Store) error {
				return s.RestorePrevious(ctx, "default", versionB, versionA)
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
			parameter(at+"/one/config", 1), parameter(at+"/one/state", 7), parameter(at+"/one/lease", 5),
		}},
		"2": {"NextToken": "3", "Parameters": []object{}},
		"3": {"NextToken": "4", "Parameters": []object{
			parameter(at+"/one/check", 1), parameter(at+"/config", 1), parameter(at+"/one/two/config", 1),
			parameter(at+"/one", 1), parameter(at+"//config", 1), parameter(at+"-other/one/config", 1),
		}},
		"4": {"Parameters": []object{parameter(at+"/two/pending", 1)}},
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
		"one lease 5 value of " + at + "/one/lease",
		"two pending 1 value of " + at + "/two/pending",
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
	_ = store.Publish(t.Context(), "default", versionA, secret.New("{}"))
	if want := []string{"SSM", "Secrets Manager"}; !slices.Equal(cloud.clients, want) {
		t.Errorf("clients of %v after a write, want %v", cloud.clients, want)
	}
}

// PutParameter is not idempotent: when the response to a write is lost, the SDK
// writes again, and the version is two higher than before. The caller must not take
// that for another run's write.
func TestPutWhoseAnswerIsLostCountsTwice(t *testing.T) {
	version := 4
	cloud := newAWS(t, func(call) reply {
		version++
		return reply{lost: version == 5, body: object{"Version": version}}
	})
	got, err := cloud.store().Put(t.Context(), "default", rotator.KindLease, "mine")
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
	if err := cloud.store().Save(t.Context(), "default", versionB, secret.New("{}")); err != nil {
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
			"two versions, one with a label of an operator's own",
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

// The SDK's HTTP client has no timeout of its own, and gets one.
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
