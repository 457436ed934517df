token=$(aws secretsmanager get-secret-value --secret-id "reltio-token-rotator/$STACK/default/token" --query SecretString --output text | jq -r .access_token)
printf 'Authorization: Bearer %s' "$token" | curl --silent --show-error --fail -H @- "$RELTIO_API"
