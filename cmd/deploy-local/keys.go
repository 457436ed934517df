package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"reltio-token-rotator/tests/harness/machine"
)

// keys is a proxy between the function and the emulator, whose Secrets Manager
// never uses a secret's KMS key. Like AWS, the proxy calls KMS as the caller, and
// denies what KMS denies. It passes all other requests on unchanged.
type keys struct {
	emulator string
	secrets  *secretsmanager.Client // the administrator's
	through  *httputil.ReverseProxy
	web      *httptest.Server

	mu     sync.Mutex
	caller aws.Credentials
}

// root is the administrator. The emulator accepts these keys.
func root() aws.Credentials {
	return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}
}

func newKeys(emulator string, secrets *secretsmanager.Client) (*keys, error) {
	to, err := url.Parse(emulator)
	if err != nil {
		return nil, err
	}
	k := &keys{emulator: emulator, secrets: secrets, caller: root()}
	k.through = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // which is signed
	}}
	k.web = httptest.NewServer(k)
	return k, nil
}

// callAs sets the principal as which KMS is called from now on.
func (k *keys) callAs(who actor) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.caller = who.credentials()
}

func (k *keys) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	action, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "secretsmanager.")
	if !ok || action != "GetSecretValue" && action != "PutSecretValue" {
		k.through.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var in struct{ SecretId string }
	code := ""
	if err = json.Unmarshal(body, &in); err == nil {
		code, err = k.refusal(r.Context(), action, in.SecretId)
	}
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadGateway)
	case code != "":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": "Access to KMS is not allowed"})
	default:
		k.through.ServeHTTP(w, r)
	}
}

// refusal is the error code of an action that the secret's key denies. It is empty
// if the key allows the action or the secret has none. For a secret that does not
// exist, the emulator returns the error.
func (k *keys) refusal(ctx context.Context, action, secret string) (code string, err error) {
	about, err := k.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &secret})
	key := ""
	if err == nil {
		key = aws.ToString(about.KmsKeyId)
	}
	if !strings.Contains(key, ":key/") {
		return "", nil
	}
	k.mu.Lock()
	caller := k.caller
	k.mu.Unlock()
	failure := map[string]string{"GetSecretValue": "DecryptionFailure", "PutSecretValue": "EncryptionFailure"}[action]
	// The data key of the stored value.
	under, code, err := k.kms(ctx, root(), "GenerateDataKey", map[string]any{"KeyId": key, "KeySpec": "AES_256"})
	if err == nil && code == "" && action == "PutSecretValue" {
		_, code, err = k.kms(ctx, caller, "GenerateDataKey", map[string]any{"KeyId": key, "KeySpec": "AES_256"})
	}
	if err == nil && code == "" {
		_, code, err = k.kms(ctx, caller, "Decrypt", map[string]any{"KeyId": key, "CiphertextBlob": under})
	}
	if err != nil || code == "" || strings.HasPrefix(code, "AccessDenied") {
		return code, err
	}
	return failure, nil
}

// kms calls the emulator's KMS as a principal. code is the code of an error in the
// response.
func (k *keys) kms(ctx context.Context, as aws.Credentials, action string, in map[string]any) (blob []byte, code string, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, k.emulator+"/", bytes.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "TrentService."+action)
	hash := fmt.Sprintf("%x", sha256.Sum256(body))
	if err := v4.NewSigner().SignHTTP(ctx, as, request, hash, "kms", machine.Region, time.Now()); err != nil {
		return nil, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	var out struct {
		CiphertextBlob []byte
		Type           string `json:"__type"`
	}
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil {
		return nil, "", fmt.Errorf("KMS %s: %w", action, err)
	}
	if response.StatusCode != http.StatusOK && out.Type == "" {
		return nil, "", errors.New("KMS " + action + ": " + response.Status)
	}
	return out.CiphertextBlob, out.Type[strings.LastIndex(out.Type, "#")+1:], nil
}
