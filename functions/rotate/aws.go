package main

import (
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"reltio-token-rotator/rotator/reltio"
)

// awsConfig reads the environment and nothing else. Lambda sets the region and the
// role's credentials there. config.LoadDefaultConfig also looks for files, a
// metadata service and single sign-on, which a function does not have; their
// clients make the binary larger by a sixth and its start slower
// (docs/performance.md).
//
// The SDK's own client would use a proxy of the environment. This one uses the given
// proxy, or none if it is nil.
func awsConfig(proxy func(*http.Request) (*url.URL, error)) (aws.Config, error) {
	env, err := config.NewEnvConfig()
	if err != nil {
		return aws.Config{}, err
	}
	cfg := aws.Config{
		Region:      env.Region,
		Credentials: credentials.StaticCredentialsProvider{Value: env.Credentials},
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.Proxy, t.OnProxyConnectResponse = proxy, reltio.CheckProxyResponse
		}),
		// The clients read the other settings from it, such as FIPS endpoints.
		ConfigSources: []any{env},
	}
	if env.BaseEndpoint != "" {
		cfg.BaseEndpoint = aws.String(env.BaseEndpoint)
	}
	return cfg, nil
}
