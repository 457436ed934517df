package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// snapshot returns what the stack stores: the current value of each secret and the
// version of each label, and the version and value of each parameter.
func (s stack) snapshot(ctx context.Context) (map[string]string, error) {
	all := map[string]string{}
	secrets, err := s.secrets.ListSecrets(ctx, &secretsmanager.ListSecretsInput{})
	if err != nil {
		return nil, err
	}
	for _, secret := range secrets.SecretList {
		name := aws.ToString(secret.Name)
		if !strings.HasPrefix(name, s.prefix()+"/") {
			continue
		}
		if all["value of "+name], err = s.secret(ctx, name); err != nil {
			return nil, err
		}
		for version, labels := range secret.SecretVersionsToStages {
			for _, label := range labels {
				all[label+" of "+name] = version
			}
		}
	}
	pages := ssm.NewGetParametersByPathPaginator(s.parameters, &ssm.GetParametersByPathInput{
		Path: aws.String("/" + s.prefix()), Recursive: aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Parameters {
			all["parameter "+aws.ToString(p.Name)] = fmt.Sprintf("version %d: %s", p.Version, aws.ToString(p.Value))
		}
	}
	return all, nil
}

// differences returns the names whose values differ.
func differences(before, after map[string]string) []string {
	var names []string
	for name := range maps.Keys(before) {
		if after[name] != before[name] {
			names = append(names, name)
		}
	}
	for name := range maps.Keys(after) {
		if _, was := before[name]; !was {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// unexpected returns the names that changed and that a heartbeat does not change. A
// heartbeat writes state, lease and token, and the credentials if the refresh
// token changes. Its versions of secrets have names of their own.
func (s stack) unexpected(before, after map[string]string) []string {
	return slices.DeleteFunc(differences(before, after), func(name string) bool {
		what, of, _ := strings.Cut(name, " of ")
		switch {
		case of == s.credentials() && !s.auth:
			return false
		case what == "AWSCURRENT":
			return strings.HasPrefix(after[name], "rotator-")
		case what == "AWSPREVIOUS":
			return true
		case what == "value":
			return before["AWSCURRENT of "+of] != after["AWSCURRENT of "+of]
		}
		return name == "parameter "+s.state() || name == "parameter "+s.lease()
	})
}
