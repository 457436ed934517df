package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
)

// session is what every call of a command uses.
type session struct {
	config                       aws.Config
	account, region, partition   string
	accessKey, secretKey, bearer string // for sam alone
}

// open makes the session and prints the account, the region and the stack.
func (o *operator) open(ctx context.Context) error {
	load := []func(*config.LoadOptions) error{
		config.WithAppID("rotatorctl"),
		config.WithLogger(logging.Nop{}), // a connection that breaks is no message for the operator
		config.WithAssumeRoleCredentialOptions(func(role *stscreds.AssumeRoleOptions) {
			role.TokenProvider = func() (string, error) { return o.askMFA(ctx, aws.ToString(role.SerialNumber)) }
		}),
	}
	if o.profile != "" {
		load = append(load, config.WithSharedConfigProfile(o.profile))
	}
	if o.region != "" {
		load = append(load, config.WithRegion(o.region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if _, missing := errors.AsType[config.SharedConfigProfileNotExistError](err); missing {
		return fmt.Errorf("there is no AWS profile %q in this machine's AWS configuration", o.profile)
	}
	if err != nil {
		return fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	if cfg.Region == "" {
		return errors.New("no AWS region is set: give one (-region, or AWS_REGION), or set the profile's")
	}
	keys, err := cfg.Credentials.Retrieve(ctx)
	if errors.Is(err, errNoMFA) {
		return errNoMFA
	}
	if err != nil {
		return o.signIn(err)
	}
	caller, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		if answered(err, "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "RequestExpired") {
			return o.signIn(err)
		}
		return said(err)
	}
	o.session = session{
		config: cfg, region: cfg.Region, account: aws.ToString(caller.Account), partition: partition(aws.ToString(caller.Arn)),
		accessKey: keys.AccessKeyID, secretKey: keys.SecretAccessKey, bearer: keys.SessionToken,
	}
	o.aws = newClients(cfg)
	line := fmt.Sprintf("Account %s, region %s, stack %s", o.session.account, o.session.region, o.stack)
	if o.json {
		fmt.Fprintln(o.errors, line)
		return nil
	}
	o.say("%s", line)
	return nil
}

var errNoMFA = errors.New("the profile asks for an MFA code, and there is no terminal to ask at")

// askMFA asks for the code that is needed to assume a role.
func (o *operator) askMFA(ctx context.Context, serial string) (string, error) {
	t, err := o.terminal()
	if err != nil {
		return "", errNoMFA
	}
	defer t.close()
	return t.ask(ctx, "MFA code of "+serial+": ", false)
}

// signIn says what to do when there are no usable credentials.
func (o *operator) signIn(err error) error {
	with := ""
	if o.profile != "" {
		with = " --profile " + o.profile
	}
	if _, sso := errors.AsType[*ssocreds.InvalidTokenError](err); sso {
		return fmt.Errorf("the sign-in has expired: aws sso login%s", with)
	}
	signIn := fmt.Sprintf("AWS takes no credentials from this shell: sign in (aws login%s, aws sso login%s), or name a profile", with, with)
	if strings.Contains(err.Error(), "no EC2 IMDS role found") {
		return errors.New(signIn) // what was tried last says nothing about what is missing
	}
	return fmt.Errorf("%s.\n%w", signIn, said(err))
}

// answered reports whether AWS answered with one of the codes.
func answered(err error, codes ...string) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if e.ErrorCode() == code {
			return true
		}
	}
	return false
}

// denied reports whether the operator's own permissions are not sufficient.
func denied(err error) bool {
	return answered(err, "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "AuthorizationErrorException")
}

// said returns AWS's answer in one line: the call, the code and the text.
func said(err error) error {
	if err == nil {
		return nil
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return err
	}
	call := "AWS"
	if operation, ok := errors.AsType[*smithy.OperationError](err); ok {
		call = strings.ReplaceAll(operation.Service(), " ", "") + " " + operation.Operation()
	}
	return &callError{call: call, api: api}
}

// callError is an error that AWS answered.
type callError struct {
	call string
	api  smithy.APIError
}

func (e *callError) Error() string {
	return e.call + ": " + e.api.ErrorCode() + ": " + e.api.ErrorMessage()
}

func (e *callError) Unwrap() error { return e.api }

func partition(arn string) string {
	parts := strings.SplitN(arn, ":", 3)
	if len(parts) < 3 || parts[1] == "" {
		return "aws"
	}
	return parts[1]
}

// sleep waits, or ends with ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
