aws secretsmanager put-secret-value --secret-id "reltio-token-rotator/$STACK/default/credentials" --secret-string file://credentials.json --query VersionId
rm credentials.json
