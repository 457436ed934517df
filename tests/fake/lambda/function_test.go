package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	runtime "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"reltio-token-rotator/tests/harness/binary"
)

// rotate is the real function.
var rotate binary.Once

// TestMain also makes this test binary a function that misbehaves on demand, because
// the real one cannot.
func TestMain(m *testing.M) {
	switch os.Getenv("BEHAVE_AS") {
	case "function":
		runtime.Start(behave)
	case "exit":
		fmt.Println("cannot start")
		os.Exit(3)
	default:
		os.Exit(rotate.Run(m))
	}
}

// event says how the misbehaving function is to behave.
type event struct {
	Sleep time.Duration
	Print string
	// Tick prints the time every 5 ms until the process ends.
	Tick  bool
	Fail  string
	Panic bool
	Exit  bool
	// AnswerOther answers an invocation that is not its own.
	AnswerOther bool
	// Wait for the end of the invocation's time.
	Wait bool
}

// seen is what it answers.
type seen struct {
	PID       int
	RequestID string
	ARN       string
	TraceID   string
	TimeLeft  time.Duration
	Env       []string
	Status    int // of AnswerOther
}

func behave(ctx context.Context, e event) (seen, error) {
	deadline, _ := ctx.Deadline()
	if e.Print != "" {
		fmt.Print(e.Print)
	}
	if e.Tick {
		go func() {
			for {
				fmt.Println("tick", time.Now().UnixMilli())
				time.Sleep(5 * time.Millisecond)
			}
		}()
	}
	time.Sleep(e.Sleep)
	switch {
	case e.Exit:
		os.Exit(4)
	case e.Panic:
		panic("behaving badly")
	case e.Fail != "":
		return seen{}, errors.New(e.Fail)
	case e.Wait:
		time.Sleep(time.Hour)
	}
	status := 0
	if e.AnswerOther {
		url := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/another/response"
		response, err := http.Post(url, "application/json", strings.NewReader("{}"))
		if err != nil {
			return seen{}, err
		}
		_ = response.Body.Close()
		status = response.StatusCode
	}
	lc, _ := lambdacontext.FromContext(ctx)
	return seen{
		PID: os.Getpid(), RequestID: lc.AwsRequestID, ARN: lc.InvokedFunctionArn,
		TraceID:  os.Getenv("_X_AMZN_TRACE_ID"),
		TimeLeft: time.Until(deadline), Env: os.Environ(), Status: status,
	}, nil
}

func does(t *testing.T, e event) []byte {
	t.Helper()
	payload, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}
