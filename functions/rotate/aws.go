package main

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// awsConfig reads the environment and nothing else. Lambda sets the region and the
// role's credentials there. config.LoadDefaultConfig also looks for files, a
// metadata service and single sign-on, which a function does not have; their
// clients make the binary larger by a sixth and its start slower
// (docs/performance.md).
func awsConfig() (aws.Config, error) {
	env, err := config.NewEnvConfig()
	if err != nil {
		return aws.Config{}, err
	}
	cfg := aws.Config{
		Region:      env.Region,
		Credentials: credentials.StaticCredentialsProvider{Value: env.Credentials},
		// The clients read the other settings from it, such as FIPS endpoints.
		ConfigSources: []any{env},
	}
	if env.BaseEndpoint != "" {
		cfg.BaseEndpoint = aws.String(env.BaseEndpoint)
	}
	return cfg, nil
}
