aws ssm get-parameter --name "/reltio-token-rotator/$STACK/default/state" --query Parameter.Value --output text
