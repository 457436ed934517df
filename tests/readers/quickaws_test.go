package readers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
)

// The AWS CLI needs most of a second of a core to start, which is too long for
// twenty jobs at once. So this test's own program is called aws for them. It accepts
// exactly the two calls of the shell example, and nothing else.
// TestTheShellExampleWithTheRealCLI tests that the real CLI accepts them.

// asQuickAWS makes the call if the program was started as aws.
func asQuickAWS() {
	if filepath.Base(os.Args[0]) != "aws" {
		return
	}
	if err := quickAWS(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "aws:", err)
		os.Exit(254)
	}
	os.Exit(0)
}

func quickAWS(args []string) error {
	endpoint, get, invoke := os.Getenv("AWS_ENDPOINT_URL"),
		[]string{"secretsmanager", "get-secret-value", "--secret-id", "", "--version-stage", "AWSCURRENT", "--output", "json"},
		[]string{"lambda", "invoke", "--function-name", "", "--qualifier", "report", "--payload", "fileb:///dev/stdin", "/dev/null"}
	switch blank := blanked(args); {
	case slices.Equal(blank, get):
		body, err := json.Marshal(map[string]string{"SecretId": args[3], "VersionStage": "AWSCURRENT"})
		if err != nil {
			return err
		}
		return post(endpoint, "secretsmanager.GetSecretValue", bytes.NewReader(body))
	case slices.Equal(blank, invoke):
		return post(endpoint+"/2015-03-31/functions/"+args[3]+"/invocations?Qualifier=report", "", os.Stdin)
	}
	return fmt.Errorf("not one of the example's calls: %q", args)
}

// blanked is the arguments without the name of what they are about.
func blanked(args []string) []string {
	args = slices.Clone(args)
	if len(args) > 3 {
		args[3] = ""
	}
	return args
}

func post(url, target string, body io.Reader) error {
	req, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		return err
	}
	req.Header.Set("X-Amz-Target", target)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}
