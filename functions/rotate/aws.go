package main

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// awsConfig is what the environment says, and nothing else. Lambda gives the
// region and the role's credentials there; config.LoadDefaultConfig would also
// look for files, a metadata service and single sign-on, which a function has
// not, and their clients make the binary larger by a sixth and its start slower
// (docs/performance.md).
func awsConfig() (aws.Config, error) {
	env, err := config.NewEnvConfig()
	if err != nil {
		return aws.Config{}, err
	}
	cfg := aws.Config{
		Region:      env.Region,
		Credentials: credentials.StaticCredentialsProvider{Value: env.Credentials},
		// The services' clients ask it for what remains, such as FIPS endpoints.
		ConfigSources: []any{env},
	}
	if env.BaseEndpoint != "" {
		cfg.BaseEndpoint = aws.String(env.BaseEndpoint)
	}
	return cfg, nil
}
