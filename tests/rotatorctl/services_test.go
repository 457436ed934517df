package rotatorctl_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"

	"reltio-token-rotator/rotator"
	"reltio-token-rotator/tests/harness"
)

// lambda invokes the rotator as the Lambda service would.
func (a *account) lambda(w http.ResponseWriter, r *http.Request, body []byte) {
	configuration := strings.HasSuffix(r.URL.Path, "/configuration")
	action := "lambda:InvokeFunction"
	if configuration {
		action = "lambda:GetFunctionConfiguration"
	}
	if a.called(action) {
		deniedJSON(w, action)
		return
	}
	a.mu.Lock()
	gone := a.functionGone
	a.mu.Unlock()
	if gone {
		w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"Message":"Function not found: rotate"}`)
		return
	}
	if configuration {
		_ = json.NewEncoder(w).Encode(map[string]any{"FunctionName": "rotate", "Environment": map[string]any{"Variables": map[string]string{
			"PREFIX": harness.Prefix, "TOKEN_URL": harness.TokenURL, "TOKEN_HOSTS": "reltio.com", "REFRESH_BEFORE": "10m", "HEARTBEAT": "1m",
		}}})
		return
	}
	var answer any
	event, err := rotator.ParseEvent(body)
	switch {
	case err != nil:
	case event.Action == rotator.ActionCheck:
		answer, err = a.Check(r.Context())
	default:
		answer, err = a.Invoke(r.Context(), event)
	}
	if err != nil {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		_ = json.NewEncoder(w).Encode(map[string]string{"errorType": "errorString", "errorMessage": err.Error()})
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (a *account) scheduler(w http.ResponseWriter, _ *http.Request) {
	if a.called("scheduler:GetSchedule") {
		deniedJSON(w, "scheduler:GetSchedule")
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.schedule == "" {
		w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"Message":"Schedule beat does not exist."}`)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"Name": "beat", "State": a.schedule, "ScheduleExpression": "rate(1 minute)"})
}

func (a *account) cloudwatch(w http.ResponseWriter) {
	if a.called("cloudwatch:DescribeAlarms") {
		w.Header().Set("Content-Type", "application/cbor")
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write(cbor.Encode(cbor.Map{"__type": cbor.String("com.amazonaws.cloudwatch#AccessDenied"), "message": cbor.String("no")}))
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	alarms := cbor.List{}
	if a.alarm != "" {
		alarms = append(alarms, cbor.Map{
			"AlarmName": cbor.String(alarmName), "StateValue": cbor.String(a.alarm), "StateReason": cbor.String("1 datapoint was greater than the threshold"),
			"ActionsEnabled": cbor.Bool(true),
		})
	}
	w.Header().Set("Content-Type", "application/cbor")
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	_, _ = w.Write(cbor.Encode(cbor.Map{"MetricAlarms": alarms}))
}

func (a *account) logs(w http.ResponseWriter, body []byte) {
	if a.called("logs:FilterLogEvents") {
		deniedJSON(w, "logs:FilterLogEvents")
		return
	}
	var in struct{ StartTime int64 }
	_ = json.Unmarshal(body, &in)
	a.mu.Lock()
	defer a.mu.Unlock()
	events := []map[string]any{}
	for i, line := range a.log {
		if line.at.UnixMilli() >= in.StartTime {
			events = append(events, map[string]any{"eventId": fmt.Sprint(i), "timestamp": line.at.UnixMilli(), "message": line.message})
		}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]any{"events": events})
}

// query answers the services of the query protocol.
func (a *account) query(w http.ResponseWriter, r *http.Request, body string) {
	in, _ := url.ParseQuery(body)
	service := map[string]string{"2010-05-15": "cloudformation", "2010-03-31": "sns", "2011-06-15": "sts", "2010-05-08": "iam"}[in.Get("Version")]
	operation := in.Get("Action")
	w.Header().Set("Content-Type", "text/xml")
	if a.called(service + ":" + operation) {
		queryError(w, http.StatusForbidden, "AccessDenied", "User is not authorized to perform: "+service+":"+operation)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := ""
	switch service + ":" + operation {
	case "sts:GetCallerIdentity":
		answer = "<Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/operator</Arn><UserId>U</UserId>"
	case "sts:AssumeRole":
		if a.mfa != "" && in.Get("TokenCode") != a.mfa {
			queryError(w, http.StatusForbidden, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.")
			return
		}
		answer = "<Credentials><AccessKeyId>role</AccessKeyId><SecretAccessKey>role</SecretAccessKey><SessionToken>role</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
	case "sns:ListSubscriptionsByTopic":
		answer = "<Subscriptions>" + a.subscriptions + "</Subscriptions>"
	case "iam:ListEntitiesForPolicy":
		for _, role := range a.roles {
			answer += "<member><RoleName>" + role + "</RoleName></member>"
		}
		answer = "<PolicyRoles>" + answer + "</PolicyRoles><IsTruncated>false</IsTruncated>"
	default:
		var failure *queryFailure
		if answer, failure = a.cloudformation(operation, in); failure != nil {
			queryError(w, http.StatusBadRequest, failure.code, failure.message)
			return
		}
	}
	fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", operation, answer)
}

type queryFailure struct{ code, message string }

func queryError(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, message)
}
