package main

import "fmt"

// ailment is one thing that is wrong with the running stack.
type ailment struct {
	name   string
	breaks string // what somebody types
	// finds are all checks that are not ok then, and a part of what each says.
	finds map[string]string
	// mends is what somebody types who has read the message of the check told;
	// $COMMAND is the command in it.
	told, mends string
}

const asTold = `eval "$COMMAND"`

// ailments are those of an operator's bad day. The scripts run in a folder where
// credentials.json holds the right credentials.
func ailments(auth bool, closedPort int) []ailment {
	const first, configFirst = "correct the credentials first", "correct the config first"
	config := func(value string) string {
		return `aws ssm put-parameter --overwrite --name "$CONFIG" --value '` + value + `'`
	}
	credentials := func(value string) string {
		return `aws secretsmanager put-secret-value --secret-id "$CREDENTIALS" --secret-string '` + value + `'`
	}
	unusable := func(says, write string) map[string]string {
		finds := map[string]string{"default credentials": says, "default grant": first, "default refresh_token_age": first}
		if write != "" {
			finds["default credentials_write"] = write
		}
		return finds
	}
	all := []ailment{
		{
			name: "the schedule is switched off",
			breaks: `name=$(aws scheduler list-schedules --query 'Schedules[].Name' --output text)
				aws scheduler update-schedule --state DISABLED --cli-input-json "$(aws scheduler get-schedule --name "$name" --output json \
				--query '{Name:Name,ScheduleExpression:ScheduleExpression,FlexibleTimeWindow:FlexibleTimeWindow,Target:Target}')"`,
			finds: map[string]string{"schedule": "so no token is refreshed"},
			told:  "schedule", mends: asTold,
		},
		{
			name:   "credentials that are not JSON",
			breaks: credentials(`{"client_id": "client", "client_secret": `),
			finds:  unusable("it is not a JSON object", ""),
			told:   "default credentials", mends: asTold,
		},
		{
			name:   "credentials without the client's secret",
			breaks: credentials(`{"client_id": "client", "refresh_token": "r"}`),
			finds:  unusable("field client_secret is missing", ""),
			told:   "default credentials", mends: asTold,
		},
		{
			name:   "a typo in the config",
			breaks: config(`{"refresh_before_second": 300}`),
			finds: map[string]string{
				"default config": `config field "refresh_before_second" is unknown; possible are`, "default token_host": configFirst,
			},
			told: "default config", mends: asTold,
		},
		{
			name:   "a token host that is none of the stack's",
			breaks: config(`{"token_url": "https://auth.reltio.com.example/oauth/token"}`),
			finds: map[string]string{
				"default config":     "host auth.reltio.com.example is not within TOKEN_HOSTS (127.0.0.1)",
				"default token_host": configFirst,
			},
			told: "default config", mends: asTold,
		},
		{
			name:   "no way to the token host",
			breaks: config(fmt.Sprintf(`{"token_url": "http://127.0.0.1:%d/oauth/token"}`, closedPort)),
			finds:  map[string]string{"default token_host": fmt.Sprintf("127.0.0.1:%d is not reached (TCP: the connection was refused)", closedPort)},
			told:   "default token_host", mends: config(`{}`),
		},
	}
	const customerKey = `key=$(aws kms create-key --query KeyMetadata.Arn --output text)
		aws secretsmanager update-secret --secret-id "$CREDENTIALS" --kms-key-id "$key"`
	if !auth {
		const says = "its key could not be used"
		return append(all, ailment{
			name:   "a key that is disabled",
			breaks: customerKey + "\naws kms disable-key --key-id \"$key\"",
			finds:  unusable(says, says),
			told:   "default credentials", mends: asTold,
		})
	}
	return append(
		all,
		ailment{
			name:   "a key whose policy leaves the function out",
			breaks: customerKey,
			finds:  unusable("and kms:Decrypt on its key arn:aws:kms:", "and kms:GenerateDataKey and kms:Decrypt on its key arn:aws:kms:"),
			told:   "default credentials_write",
			mends: `key=$(grep -o 'arn:aws:kms:[a-z0-9:/-]*' <<<"$MESSAGE")
				aws kms get-key-policy --key-id "$key" --policy-name default --query Policy --output text |
				jq --arg role "arn:aws:iam::000000000000:role/$ROLE" '.Statement += [{Effect: "Allow",
				Principal: {AWS: $role}, Action: ["kms:GenerateDataKey", "kms:Decrypt"], Resource: "*"}]' >key.json
				aws kms put-key-policy --key-id "$key" --policy-name default --policy file://key.json`,
		},
		ailment{
			name: "a function that may not write the token",
			breaks: `aws iam get-role-policy --role-name "$ROLE" --policy-name rotate --query PolicyDocument --output json >role.json
				jq '(.Statement[] | select(.Sid == "PublishTokens").Action) -= ["secretsmanager:PutSecretValue"]' role.json >narrower.json
				aws iam put-role-policy --role-name "$ROLE" --policy-name rotate --policy-document file://narrower.json`,
			finds: map[string]string{"default token_write": "allow the function's role secretsmanager:PutSecretValue on arn:aws:secretsmanager:"},
			told:  "default token_write",
			// The statement that the message names, seen to be enough; then as before.
			mends: `read -r action resource < <(sed -E "s/.*allow the function's role ([^ ]+) on ([^ ;]+);.*/\1 \2/; s/REGION/$AWS_DEFAULT_REGION/; s/ACCOUNT/000000000000/" <<<"$MESSAGE")
				aws iam put-role-policy --role-name "$ROLE" --policy-name mended --policy-document \
				"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"$action\",\"Resource\":\"$resource\"}]}"
				make --no-print-directory -C "$PROJECT" check STACK="$STACK"
				aws iam put-role-policy --role-name "$ROLE" --policy-name rotate --policy-document file://role.json
				aws iam delete-role-policy --role-name "$ROLE" --policy-name mended`,
		},
	)
}
