package main

import (
	"context"
	"maps"
	"strings"
	"testing"
)

const (
	describeConnection = "cloudformation describe-stacks --stack-name tokens-connection-emea"
	listParameters     = "ssm get-parameters-by-path"
	describeSecret     = "secretsmanager describe-secret"
	deploy             = "cloudformation deploy"
	deleteStack        = "cloudformation delete-stack"
	deleteSecret       = "secretsmanager delete-secret --force-delete-without-recovery"
	usersOfPolicy      = "iam list-entities-for-policy"
	getParameter       = "ssm get-parameter --name /reltio-token-rotator/tokens/emea/config"
	putParameter       = "ssm put-parameter"
	configWritten      = putParameter + " --overwrite --type String --name /reltio-token-rotator/tokens/emea/config --value "
	existing           = `{"Stacks":[{"Parameters":[{"ParameterKey":"Stack","ParameterValue":"tokens"},{"ParameterKey":"Connection","ParameterValue":"emea"}]}]}`
)

func TestAddConnection(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers map[string]string
		errors  []string
		// refused is what the error says; empty where it is made.
		refused     string
		did, didNot []string
		opts        options
	}{
		{
			name: "anew", errors: []string{describeConnection, describeSecret},
			did: []string{deploy + " --template-file connection.yaml --stack-name tokens-connection-emea --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset --parameter-overrides Stack=tokens Connection=emea"},
		},
		{
			name: "with a key and more parameters", errors: []string{describeConnection, describeSecret},
			answers: map[string]string{describeStacks: `{"Stacks":[{"Outputs":[{"OutputKey":"FunctionName","OutputValue":"rotate"}],"Parameters":[{"ParameterKey":"KmsKeyArn","ParameterValue":"arn:key"}]}]}`},
			opts:    options{parameters: "A=1  B=2"},
			did:     []string{deploy + " --template-file connection.yaml --stack-name tokens-connection-emea --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset --parameter-overrides Stack=tokens Connection=emea KmsKeyArn=arn:key A=1 B=2"},
			didNot:  []string{putParameter},
		},
		{
			name: "with a token endpoint, which is in the config and not in the stack", errors: []string{describeConnection, describeSecret},
			answers: map[string]string{getParameter: `{"Parameter":{"Value":"{}"}}`},
			opts:    options{tokenURL: "https://auth.example.com/t"},
			did:     []string{deploy, configWritten + `{"token_url":"https://auth.example.com/t"}`},
		},
		{
			name:    "again with a token endpoint, which leaves what the operator wrote",
			answers: map[string]string{describeConnection: existing, getParameter: `{"Parameter":{"Value":"{\"scope\":\"a\",\"refresh_before_seconds\":300,\"token_url\":\"https://old.example.com/t\"}"}}`},
			opts:    options{tokenURL: "https://auth.example.com/t"},
			did:     []string{configWritten + `{"refresh_before_seconds":300,"scope":"a","token_url":"https://auth.example.com/t"}`},
		},
		{
			name:    "again with a token endpoint over a config that is not JSON",
			answers: map[string]string{describeConnection: existing, getParameter: `{"Parameter":{"Value":"{token_url"}}`},
			opts:    options{tokenURL: "https://auth.example.com/t"},
			refused: "is not a JSON object", didNot: []string{putParameter},
		},
		{
			name: "over what a late run left", errors: []string{describeConnection, describeSecret},
			answers: map[string]string{listParameters: listing(map[string]string{"emea/state": "{}", "emea/pending": "x"})},
			did:     []string{"ssm delete-parameter --name /reltio-token-rotator/tokens/emea/state", "ssm delete-parameter --name /reltio-token-rotator/tokens/emea/pending", deploy},
			didNot:  []string{"ssm delete-parameter --name /reltio-token-rotator/tokens/emea/lease"},
		},
		{name: "with secrets that were kept", errors: []string{describeConnection}, did: []string{"cloudformation deploy --template-file connection.yaml --stack-name tokens-connection-emea --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset --parameter-overrides Stack=tokens Connection=emea CreateSecrets=false"}},
		{
			name: "with secrets and a pending refresh token that were kept", errors: []string{describeConnection},
			answers: map[string]string{listParameters: listing(map[string]string{"emea/state": "{}", "emea/pending": "x"})},
			did:     []string{"ssm delete-parameter --name /reltio-token-rotator/tokens/emea/state", deploy},
			didNot:  []string{"ssm delete-parameter --name /reltio-token-rotator/tokens/emea/pending"},
		},
		{
			name: "with one secret that was kept", errors: []string{describeConnection, describeSecret + " --secret-id reltio-token-rotator/tokens/emea/token"},
			refused: "only one of the secrets", didNot: []string{deploy},
		},
		{
			name: "with secrets that wait to be deleted", errors: []string{describeConnection},
			answers: map[string]string{describeSecret: `{"DeletedDate":1795000000}`},
			refused: "aws secretsmanager restore-secret --secret-id reltio-token-rotator/tokens/emea/credentials", didNot: []string{deploy},
		},
		{
			name: "made in another way", errors: []string{describeConnection},
			answers: map[string]string{listParameters: listing(map[string]string{"emea/config": "{}", "emea/state": "{}"})},
			refused: "exists already", didNot: []string{deploy, "ssm delete-parameter"},
		},
		{
			name:    "over a stack of the same name that is something else",
			answers: map[string]string{describeConnection: `{"Stacks":[{"Outputs":[{"OutputKey":"FunctionName","OutputValue":"other"}]}]}`},
			refused: "is not the connection emea of tokens", didNot: []string{deploy},
		},
	} {
		a := &account{answers: map[string]string{
			listParameters: listing(nil), describeSecret: `{}`, "ssm delete-parameter": "{}", deploy: "", putParameter: "{}",
		}, errors: map[string]error{}}
		maps.Copy(a.answers, well())
		maps.Copy(a.answers, test.answers)
		for _, command := range test.errors {
			code := "ValidationError"
			if strings.HasPrefix(command, describeSecret) {
				code = "ResourceNotFoundException"
			}
			a.errors[command] = absent(code)
		}
		o, _ := person(&account{})
		o.cli = &appearing{account: a}
		test.opts.connection = "emea"
		err := o.addConnection(t.Context(), test.opts)
		judge(t, test.name, err, test.refused, a, test.did, test.didNot)
	}
}

// appearing is an account in which the connection's stack is there once it was
// deployed.
type appearing struct{ *account }

func (a *appearing) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	text, err := a.account.run(ctx, stdin, args...)
	if err == nil && strings.HasPrefix(strings.Join(args, " "), deploy) {
		delete(a.errors, describeConnection)
		a.answers[describeConnection] = `{"Stacks":[{"StackStatus":"CREATE_COMPLETE"}]}`
	}
	return text, err
}

func TestRemoveConnection(t *testing.T) {
	const made = `{"Stacks":[{"Parameters":[{"ParameterKey":"Stack","ParameterValue":"tokens"},{"ParameterKey":"Connection","ParameterValue":"emea"}],
		"Outputs":[{"OutputKey":"ReaderPolicyArn","OutputValue":"arn:policy"}]}]}`
	for _, test := range []struct {
		name        string
		answers     map[string]string
		absent      bool
		typed       string
		opts        options
		refused     string
		did, didNot []string
	}{
		{name: "when the name was typed", typed: "emea\n", did: []string{deleteStack, deleteSecret}},
		{name: "when another name was typed", typed: "default\n", refused: "nothing was changed", didNot: []string{"ssm put-parameter", deleteStack, deleteSecret}},
		{name: "when nobody is there to ask", refused: "nothing was changed", didNot: []string{"ssm put-parameter", deleteStack, deleteSecret}},
		{
			name: "with its secrets", opts: options{yes: true},
			did: []string{
				`ssm put-parameter --overwrite --type String --name /reltio-token-rotator/tokens/emea/config --value {"enabled":false}`,
				deleteStack + " --stack-name tokens-connection-emea", "cloudformation wait stack-delete-complete",
				deleteSecret + " --secret-id reltio-token-rotator/tokens/emea/credentials", deleteSecret + " --secret-id reltio-token-rotator/tokens/emea/token",
			},
		},
		{
			name: "without its secrets", opts: options{keepSecrets: true},
			answers: map[string]string{listParameters: listing(map[string]string{"emea/lease": "{}", "emea/pending": "x"})},
			did:     []string{deleteStack, "ssm delete-parameter --name /reltio-token-rotator/tokens/emea/lease"},
			didNot:  []string{deleteSecret, "ssm delete-parameter --name /reltio-token-rotator/tokens/emea/pending"},
		},
		{
			name: "that jobs still use", opts: options{yes: true},
			answers: map[string]string{usersOfPolicy: `{"PolicyRoles":[{"RoleName":"job"}]}`},
			refused: "aws iam detach-role-policy --policy-arn arn:policy --role-name job", didNot: []string{"ssm put-parameter", deleteStack, deleteSecret},
		},
		{name: "that is not there", opts: options{yes: true}, absent: true, refused: "there is no stack tokens-connection-emea", didNot: []string{deleteStack, deleteSecret}},
		{
			name: "of the name of another stack", opts: options{yes: true},
			answers: map[string]string{describeConnection: `{"Stacks":[{"StackStatus":"CREATE_COMPLETE"}]}`},
			refused: "is not the connection emea", didNot: []string{deleteStack, deleteSecret},
		},
		{name: "default", opts: options{yes: true, connection: "default"}, refused: "belongs to the stack tokens itself", didNot: []string{deleteStack, deleteSecret}},
		{name: "that is not said", opts: options{yes: true, connection: "-"}, refused: "say which connection", didNot: []string{deleteStack, deleteSecret}},
	} {
		a := &account{answers: map[string]string{
			describeConnection: made, listParameters: listing(nil), usersOfPolicy: `{}`, "ssm put-parameter": "{}", "ssm delete-parameter": "{}",
			deleteStack: "", "cloudformation wait": "", deleteSecret: "{}",
		}, errors: map[string]error{}}
		maps.Copy(a.answers, test.answers)
		if test.absent {
			a.errors[describeConnection] = absent("ValidationError")
		}
		switch test.opts.connection {
		case "":
			test.opts.connection = "emea"
		case "-":
			test.opts.connection = ""
		}
		o, _ := person(a)
		o.in = strings.NewReader(test.typed)
		judge(t, test.name, o.removeConnection(t.Context(), test.opts), test.refused, a, test.did, test.didNot)
	}
}

func judge(t *testing.T, name string, err error, refused string, a *account, did, didNot []string) {
	t.Helper()
	switch {
	case refused == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case refused != "" && (err == nil || !strings.Contains(err.Error(), refused)):
		t.Errorf("%s: ends with %v, wanted %q", name, err, refused)
	}
	for _, command := range did {
		if !a.did(command) {
			t.Errorf("%s: did not run aws %s, but\n%s", name, command, strings.Join(a.asked, "\n"))
		}
	}
	for _, command := range didNot {
		if a.did(command) {
			t.Errorf("%s: ran aws %s", name, command)
		}
	}
}
