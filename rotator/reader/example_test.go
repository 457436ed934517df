package reader_test

import (
	"context"
	"log"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"reltio-token-rotator/rotator/reader"
)

// A job that calls Reltio's API. For golang.org/x/oauth2 and for reports of
// tokens that were ended early see the package comment.
func Example() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	source := reader.New(reader.Config{
		Secrets:  secretsmanager.NewFromConfig(cfg),
		SecretID: "reltio-token-rotator/reltio-tokens/default/token",
	})
	client := &http.Client{Transport: source.Transport(nil)}

	response, err := client.Get("https://dev.reltio.com/reltio/api/TENANT/entities")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	log.Print(response.Status)
}
