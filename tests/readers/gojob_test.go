package readers_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"reltio-token-rotator/rotator/reader"
)

// asGoJob is a job with the Go reader, if the program was started as one. It
// carries out the orders of standard input: see job.
func asGoJob() {
	if filepath.Base(os.Args[0]) != "go-job" {
		return
	}
	if err := doGoJob(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func doGoJob() error {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		return err
	}
	own := &goReader{}
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		switch words := strings.Fields(orders.Text()); words[0] {
		case "start":
			source := reader.New(reader.Config{
				Secrets: secretsmanager.NewFromConfig(cfg), SecretID: os.Getenv("RELTIO_SECRET"),
				Report: func(ctx context.Context, event []byte) error {
					return invoke(ctx, http.DefaultTransport, os.Getenv("AWS_ENDPOINT_URL"), words[1], string(event))
				},
			})
			own.client = &http.Client{Transport: source.Transport(nil)}
			if os.Getenv("JOB") == "naive" { // the token is read once and kept
				token, err := source.Token(context.Background())
				if err != nil {
					return err
				}
				own.client = &http.Client{Transport: fixed(token.Reveal())}
			}
			fmt.Println("ok")
		case "call":
			n, _ := strconv.Atoi(words[3])
			statuses, _ := own.call(words[1], words[2], n)
			fmt.Println(strings.Join(statuses, " "))
		}
	}
	return orders.Err()
}

// fixed sends a token that it has once been given.
type fixed string

func (f fixed) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Header.Set("Authorization", "Bearer "+string(f))
	return http.DefaultTransport.RoundTrip(req)
}
