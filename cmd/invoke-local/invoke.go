package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"

	"reltio-token-rotator/tests/fake/aws"
	"reltio-token-rotator/tests/fake/reltio"
	"reltio-token-rotator/tests/harness/machine"
)

// prefix is what the template makes of its stack's name under sam local.
const prefix = "reltio-token-rotator/local"

// invoke runs one event with new fakes and checks the result.
func invoke(ctx context.Context, console *machine.Console, command machine.Command, engine engine, built, event string) error {
	account := aws.New(aws.Options{})
	tokens := reltio.New(reltio.Options{TokenFormat: reltio.Base64})
	defer tokens.Close()
	_, refresh := tokens.Login()
	credentials, err := json.Marshal(map[string]string{
		"client_id": "client", "client_secret": "secret", "refresh_token": refresh,
	})
	if err != nil {
		return err
	}
	account.PutSecret(prefix+"/default/credentials", string(credentials))
	account.CreateSecret(prefix + "/default/token")
	for _, kind := range []string{"config", "state", "lease"} {
		account.PutParameter("/"+prefix+"/default/"+kind, "{}")
	}
	accountURL, stopAccount, err := serve(engine, account)
	if err != nil {
		return err
	}
	defer stopAccount()
	tokensURL, stopTokens, err := serve(engine, tokens)
	if err != nil {
		return err
	}
	defer stopTokens()

	args := append([]string{
		"local", "invoke", "RotateFunction", "--event", event,
		"--template-file", filepath.Join(built, "template.yaml"),
		"--parameter-overrides",
		"AwsEndpointUrl=" + accountURL, "TokenUrl=" + tokensURL + "/oauth/token",
		"TokenHosts=" + dockerHost + ",127.0.0.1",
	}, engine.invokeFlags...)
	// sam local gives the function a variable of the caller that has the name of
	// one of the template's, in place of the template's value.
	command.Env = slices.DeleteFunc(command.Env, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains([]string{
			"PREFIX", "TOKEN_URL", "TOKEN_HOSTS", "REFRESH_BEFORE", "HEARTBEAT", "TOKEN_REQUESTS_PER_SECOND",
			"LOG_LEVEL", "HTTPS_PROXY", "NO_PROXY", "AWS_ENDPOINT_URL",
		}, name)
	})
	// sam calls STS, which the fake answers. With AWS_ENDPOINT_URL instead, sam
	// local would override the function's variable.
	command.Env = append(command.Env, "AWS_ENDPOINT_URL_STS="+strings.Replace(accountURL, dockerHost, engine.listenOn, 1))
	var said bytes.Buffer
	command.Stderr = &said
	answer, err := command.Run(ctx, "sam", args...)
	if err != nil {
		return err
	}
	console.Say(filepath.Base(event), "%s", functionLog(said.String()))
	console.Say("response", "%s", indented(answer))
	return verify(console, account, tokens, answer)
}

// indented is JSON on several lines, and any other text as it is.
func indented(text string) string {
	var lines bytes.Buffer
	if json.Indent(&lines, []byte(text), "", "  ") != nil {
		return text
	}
	return lines.String()
}

// functionLog is the function's part of stderr, without the lines of sam before it
// and after it. It is all of stderr if the function did not start.
func functionLog(stderr string) string {
	_, log, started := strings.Cut(stderr, "START RequestId")
	if !started {
		return stderr
	}
	if end := strings.Index(log, "\nREPORT "); end >= 0 {
		line, _, _ := strings.Cut(log[end+1:], "\n")
		log = log[:end+1] + line
	}
	return "START RequestId" + log
}

// verify checks the response and what the fakes recorded.
func verify(console *machine.Console, account *aws.Server, tokens *reltio.Server, answer string) error {
	answer = strings.TrimSpace(answer)
	var said struct {
		ErrorMessage string `json:"errorMessage"`
		Connections  []struct {
			Outcome string `json:"outcome"`
		} `json:"connections"`
		Checks []any `json:"checks"`
	}
	if err := json.Unmarshal([]byte(answer), &said); err != nil {
		return errors.New("the response of the function is not JSON")
	}
	if said.ErrorMessage != "" {
		return fmt.Errorf("the function failed: %s", said.ErrorMessage)
	}
	if said.Checks != nil {
		if len(tokens.Requests()) != 0 {
			return errors.New("the doctor sent a token request")
		}
		return nil
	}
	if len(said.Connections) != 1 || said.Connections[0].Outcome != "refreshed" {
		return errors.New("the connection was not refreshed")
	}
	published, _ := account.Secret(prefix + "/default/token")
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal([]byte(published), &token) != nil || !tokens.Alive(token.AccessToken) {
		return errors.New("the token secret holds no live token")
	}
	console.Say("token secret", "holds a live token")
	return nil
}

// serve serves on an address that containers reach, and returns their URL for it.
func serve(engine engine, handler http.Handler) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(engine.listenOn, "0"))
	if err != nil {
		return "", nil, err
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}}
	server.Start()
	return fmt.Sprintf("http://%s:%d", dockerHost, listener.Addr().(*net.TCPAddr).Port), server.Close, nil
}
