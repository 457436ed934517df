package main

import "fmt"

// failureCase is one fault of the running stack.
type failureCase struct {
	name  string
	cause string // the script that causes it
	// findings are all checks that are then not ok, with a part of each message.
	findings map[string]string
	// fix is the script that corrects it after the message of check was read.
	// $COMMAND is the command in that message.
	check, fix string
}

const givenCommand = `eval "$COMMAND"`

// failureCases are faults that an operator may cause or find. Their scripts run in
// a folder where credentials.json holds valid credentials.
func failureCases(auth bool, closedPort int) []failureCase {
	const first, configFirst = "correct the credentials first", "correct the config first"
	config := func(value string) string {
		return `aws ssm put-parameter --overwrite --name "$CONFIG" --value '` + value + `'`
	}
	credentials := func(value string) string {
		return `aws secretsmanager put-secret-value --secret-id "$CREDENTIALS" --secret-string '` + value + `'`
	}
	unusable := func(says, write string) map[string]string {
		findings := map[string]string{"default credentials": says, "default grant": first, "default refresh_token_age": first}
		if write != "" {
			findings["default credentials_write"] = write
		}
		return findings
	}
	all := []failureCase{
		{
			name: "the schedule is disabled",
			cause: `name=$(aws scheduler list-schedules --query 'Schedules[].Name' --output text)
				aws scheduler update-schedule --state DISABLED --cli-input-json "$(aws scheduler get-schedule --name "$name" --output json \
				--query '{Name:Name,ScheduleExpression:ScheduleExpression,FlexibleTimeWindow:FlexibleTimeWindow,Target:Target}')"`,
			findings: map[string]string{"schedule": "so no token is refreshed"},
			check:    "schedule", fix: givenCommand,
		},
		{
			name:     "credentials that are not JSON",
			cause:    credentials(`{"client_id": "client", "client_secret": `),
			findings: unusable("it is not a JSON object", ""),
			check:    "default credentials", fix: givenCommand,
		},
		{
			name:     "credentials without the client's secret",
			cause:    credentials(`{"client_id": "client", "refresh_token": "r"}`),
			findings: unusable("field client_secret is missing", ""),
			check:    "default credentials", fix: givenCommand,
		},
		{
			name:  "a typo in the config",
			cause: config(`{"refresh_before_second": 300}`),
			findings: map[string]string{
				"default config": `config field "refresh_before_second" is unknown; possible are`, "default token_host": configFirst,
			},
			check: "default config", fix: givenCommand,
		},
		{
			name:  "a token host outside TokenHosts",
			cause: config(`{"token_url": "https://auth.reltio.com.example/oauth/token"}`),
			findings: map[string]string{
				"default config":     "host auth.reltio.com.example is not within TOKEN_HOSTS (127.0.0.1)",
				"default token_host": configFirst,
			},
			check: "default config", fix: givenCommand,
		},
		{
			name:     "a token host that cannot be reached",
			cause:    config(fmt.Sprintf(`{"token_url": "http://127.0.0.1:%d/oauth/token"}`, closedPort)),
			findings: map[string]string{"default token_host": fmt.Sprintf("127.0.0.1:%d was not reached (TCP: the connection was refused)", closedPort)},
			check:    "default token_host", fix: config(`{}`),
		},
	}
	const customerKey = `key=$(aws kms create-key --query KeyMetadata.Arn --output text)
		aws secretsmanager update-secret --secret-id "$CREDENTIALS" --kms-key-id "$key"`
	if !auth {
		const says = "its key could not be used"
		return append(all, failureCase{
			name:     "a key that is disabled",
			cause:    customerKey + "\naws kms disable-key --key-id \"$key\"",
			findings: unusable(says, says),
			check:    "default credentials", fix: givenCommand,
		})
	}
	return append(
		all,
		failureCase{
			name:     "a key whose policy does not allow the function",
			cause:    customerKey,
			findings: unusable("and kms:Decrypt on its key arn:aws:kms:", "and kms:GenerateDataKey and kms:Decrypt on its key arn:aws:kms:"),
			check:    "default credentials_write",
			fix: `key=$(grep -o 'arn:aws:kms:[a-z0-9:/-]*' <<<"$MESSAGE")
				aws kms get-key-policy --key-id "$key" --policy-name default --query Policy --output text |
				jq --arg role "arn:aws:iam::000000000000:role/$ROLE" '.Statement += [{Effect: "Allow",
				Principal: {AWS: $role}, Action: ["kms:GenerateDataKey", "kms:Decrypt"], Resource: "*"}]' >key.json
				aws kms put-key-policy --key-id "$key" --policy-name default --policy file://key.json`,
		},
		failureCase{
			name: "a function that may not write the token",
			cause: `aws iam get-role-policy --role-name "$ROLE" --policy-name rotate --query PolicyDocument --output json >role.json
				jq '(.Statement[] | select(.Sid == "PublishTokens").Action) -= ["secretsmanager:PutSecretValue"]' role.json >narrower.json
				aws iam put-role-policy --role-name "$ROLE" --policy-name rotate --policy-document file://narrower.json`,
			findings: map[string]string{"default token_write": "allow the function's role secretsmanager:PutSecretValue on arn:PARTITION:secretsmanager:"},
			check:    "default token_write",
			// Tries the statement that the message names, then restores the role.
			fix: `read -r action resource < <(sed -E "s/.*allow the function's role ([^ ]+) on ([^ ;]+);.*/\1 \2/; s/PARTITION/aws/; s/REGION/$AWS_DEFAULT_REGION/; s/ACCOUNT/000000000000/" <<<"$MESSAGE")
				aws iam put-role-policy --role-name "$ROLE" --policy-name corrected --policy-document \
				"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"$action\",\"Resource\":\"$resource\"}]}"
				make --no-print-directory -C "$PROJECT" check STACK="$STACK"
				aws iam put-role-policy --role-name "$ROLE" --policy-name rotate --policy-document file://role.json
				aws iam delete-role-policy --role-name "$ROLE" --policy-name corrected`,
		},
	)
}
