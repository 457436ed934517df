package template_test

import (
	"encoding/json"
	"slices"
	"testing"
)

func readersAccepted() []string {
	const role = "arn:aws:iam::210987654321:role/jobs/etl-1"
	return []string{
		"", "210987654321", role, "arn:aws:iam::210987654321:root", "arn:aws-cn:iam::210987654321:user/anna@example.com",
		"210987654321," + role,
	}
}

func readersRejected() []string {
	return []string{
		"*", "arn:aws:iam::*:root", "arn:aws:iam::210987654321:role/*", "arn:aws:iam::210987654321:*", "21098765432",
		"210987654321, 110987654321", "210987654321,", ",", "lambda.amazonaws.com", "arn:aws:sts::210987654321:assumed-role/job/1",
		"arn:aws:iam::210987654321:group/jobs", "arn:aws:iam::210987654321:role/a,*",
	}
}

// Readers of other accounts may read the token secret and no other. No emulator
// creates this resource, so its text is checked.
func TestReadersInOtherAccounts(t *testing.T) {
	const readers = "210987654321,arn:aws:iam::310987654321:role/job"
	const policy = `{"Statement":[{"Action":["secretsmanager:GetSecretValue","secretsmanager:DescribeSecret"],"Effect":"Allow",` +
		`"Principal":{"AWS":["210987654321","arn:aws:iam::310987654321:role/job"]},"Resource":"*","Sid":"ReadToken"}],"Version":"2012-10-17"}`
	for name, s := range map[string]stack{
		"TokenSecret": newStack(t, map[string]string{"ReaderPrincipals": readers, "KmsKeyArn": key}),
		"reltio-token-rotator/STACK/default/token": newStack(t, map[string]string{"ReaderPrincipals": readers, "KmsKeyArn": key, "CreateSecrets": "false"}),
		"reltio-token-rotator/STACK/emea/token":    emea(t, map[string]string{"ReaderPrincipals": readers, "KmsKeyArn": key, "CreateSecrets": "false"}),
	} {
		got := s.properties(t, "TokenReaders")
		text, err := json.Marshal(got["ResourcePolicy"])
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != policy || got["BlockPublicPolicy"] != "true" || got["SecretId"] != name {
			t.Errorf("the policy is of %v, blocks public policies: %v, and says\n%s\nwant %s and\n%s",
				got["SecretId"], got["BlockPublicPolicy"], text, name, policy)
		}
	}
	if got := newStack(t, nil).resource(t, "TokenReaders"); got != nil {
		t.Errorf("without readers there is the policy %v", got)
	}
}

// The function's own permissions do not depend on the readers.
func TestReadersDoNotChangeTheFunction(t *testing.T) {
	with := statements(t, newStack(t, map[string]string{"ReaderPrincipals": "210987654321", "KmsKeyArn": key}), "RotateRole")
	if without := statements(t, newStack(t, map[string]string{"KmsKeyArn": key}), "RotateRole"); !slices.Equal(with, without) {
		t.Errorf("with readers the role allows\n%q\nwithout them\n%q", with, without)
	}
}
